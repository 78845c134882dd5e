// A slice machine with a selection of names, a ledger and a clock, and verbs that speak of them.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/slice_machine.h"

namespace millrace::worker {

class SliceTest : public testing::Test {
protected:
    // Few enough at once that the order of things shows.
    static SliceOptions small() {
        SliceOptions options;
        options.window_objects_max = 8;
        options.checkpoint_objects_max = 100;
        options.workers_min = options.workers_start = options.workers_max = 4;
        return options;
    }

    void make(SliceOptions options, std::vector<std::string> names, Progress progress = {}) {
        names_.insert(names.begin(), names.end());
        options_ = options;
        machine_ = std::make_unique<SliceMachine>(options, std::move(progress));
    }

    // Counted, fed and ordered to run.
    void make_running(SliceOptions options, std::vector<std::string> names) {
        make(options, std::move(names));
        machine_->transform_ready(true, "");
        order(Desired::run);
        survey();
    }

    void order(Desired desired, std::uint64_t pass = 1, bool fresh = true) { machine_->order(desired, pass, fresh); }

    void survey() {
        machine_->surveyed({.after = names_.empty() ? "" : *names_.rbegin(), .objects = names_.size(), .bytes = names_.size() * 100, .done = true});
    }

    void feed() {
        while (const auto request = machine_->next_feed(now_)) {
            std::vector<FedObject> objects;
            std::string last = request->after;
            bool at_end = true;
            const auto add = [&](const std::string& name, bool quarantined, bool never_fitted) {
                if (name <= request->after || (!request->up_to.empty() && name > request->up_to)) return;
                if (objects.size() == request->names_max) {
                    at_end = false;
                    return;
                }
                objects.push_back({name, quarantined, never_fitted});
                last = name;
            };
            if (request->phase == Phase::main) {
                for (const std::string& name : names_) add(name, false, false);
            } else {
                for (const auto& [name, row] : ledger_) {
                    if (row.pass < request->pass_below) add(name, row.quarantined, row.error.code == Code::no_space);
                }
            }
            machine_->fed(*request, std::move(objects), last, at_end);
        }
    }

    // Feeds and dispatches; the names that start, in order.
    std::vector<std::string> start() {
        feed();
        std::vector<std::string> started;
        for (const Dispatch& dispatch : machine_->dispatch(now_)) {
            running_[dispatch.name] = dispatch;
            started.push_back(dispatch.name);
        }
        return started;
    }

    std::uint64_t take(const std::string& name) {
        const auto found = running_.find(name);
        EXPECT_NE(found, running_.end()) << name << " does not run";
        const std::uint64_t ticket = found->second.ticket;
        running_.erase(found);
        return ticket;
    }

    void done(const std::string& name) { machine_->settle(take(name), Settled::done, 100, 50, 0, now_); }
    void fails(const std::string& name, Blame blame, Code code) {
        machine_->attempt_failed(take(name), {blame, fail(code, "because of " + name), "tail"}, now_);
    }
    void rejected(const std::string& name) { fails(name, Blame::transform, Code::rejected); }
    bool isolated(const std::string& name) const { return running_.at(name).isolated; }

    // Begins a checkpoint and writes it down.
    Progress checkpoint() {
        const CheckpointWork work = machine_->begin_checkpoint();
        write(work);
        machine_->end_checkpoint(true, "", now_);
        return work.progress;
    }

    void write(const CheckpointWork& work) {
        durable_ = work.progress;
        for (const auto& [name, row] : work.changes) {
            if (row) {
                ledger_[name] = *row;
            } else {
                ledger_.erase(name);
            }
        }
    }

    // What runs is lost; the machine goes on from what was written down.
    void restart(Desired desired = Desired::run, std::uint64_t pass = 1) {
        running_.clear();
        machine_ = std::make_unique<SliceMachine>(options_, durable_.value_or(Progress{}));
        machine_->transform_ready(true, "");
        order(desired, pass, false);
        if (!machine_->survey().done) survey();
    }

    // Runs whatever starts until nothing does; everything is done.
    std::vector<std::string> run_to_end() {
        std::vector<std::string> ran;
        for (std::vector<std::string> started = start(); !started.empty(); started = start()) {
            for (const std::string& name : started) {
                ran.push_back(name);
                done(name);
            }
        }
        return ran;
    }

    void later(Duration duration) { now_ += duration; }

    Instant now_ = Instant{} + std::chrono::hours(1);
    SliceOptions options_;
    std::set<std::string> names_;
    std::unique_ptr<SliceMachine> machine_;
    std::map<std::string, Dispatch> running_;
    std::optional<Progress> durable_;
    std::map<std::string, FailedObject> ledger_;
};

using Names = std::vector<std::string>;

}  // namespace millrace::worker
