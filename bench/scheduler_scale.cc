// What a job, a directive and a status cost a proxy, and what it keeps of them, with many targets and jobs: the real scheduler and codec in
// one process, and simulated targets that answer at once. No sockets and no database; what a job's record weighs on disk is counted.
//
//     build/release/bench/scheduler_scale --targets 1000 --jobs 10000 --live 100
//
// Prints one JSON document. Time that the simulated targets take is not part of any figure.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/log.h"
#include "scheduler/scheduler.h"
#include "state/record.h"

namespace millrace::scheduler {
namespace {

std::uint64_t resident_bytes() {
    std::uint64_t total = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Cost {
public:
    template <class Work>
    auto of(Work work) {
        const Instant begun = steady_now();
        struct Stop {
            Cost& cost;
            Instant begun;
            ~Stop() {
                cost.spent_ += steady_now() - begun;
                ++cost.count_;
            }
        } const stop{*this, begun};
        return work();
    }
    double microseconds() const { return count_ == 0 ? 0 : std::chrono::duration<double, std::micro>(spent_).count() / static_cast<double>(count_); }
    std::uint64_t count() const { return count_; }

private:
    Duration spent_{};
    std::uint64_t count_ = 0;
};

struct Options {
    std::uint32_t targets = 1000;
    std::uint32_t jobs = 10'000;
    std::uint32_t live = 100;
    std::uint32_t statuses = 10;  // about progress, of each slice
};

// One slice of each job that runs, on every target.
struct SimulatedSlice {
    std::uint64_t revision = 0;
    std::uint64_t seq = 0;
    std::uint64_t done = 0;
    wire::SliceState state = wire::SliceState::preparing;
};

class Benchmark {
public:
    explicit Benchmark(const Options& options) : options_(options), scheduler_([](const std::string&) { return true; }) {
        for (std::uint32_t i = 0; i < options_.targets; ++i) targets_.push_back("target-" + std::to_string(10'000 + i));
    }

    void run() {
        const std::uint64_t before = resident_bytes();
        for (std::uint32_t begun = 0; begun < options_.jobs; begun += options_.live) wave(std::min(options_.live, options_.jobs - begun));
        const std::uint64_t kept = resident_bytes() - before;
        for (int i = 0; i < 10; ++i) tick(quiet_tick_);
        report(kept);
    }

private:
    void wave(std::uint32_t count) {
        slices_.clear();
        for (std::uint32_t i = 0; i < count; ++i) submit();
        exchange([](SimulatedSlice& slice) { slice.state = wire::SliceState::ready; });
        exchange([](SimulatedSlice& slice) { slice.state = wire::SliceState::running; });
        for (std::uint32_t i = 0; i < options_.statuses; ++i) {
            exchange([](SimulatedSlice& slice) { slice.done += 1000; });
        }
        exchange([](SimulatedSlice& slice) { slice.state = wire::SliceState::finished; });
        for (const auto& [id, slices] : slices_) MILLRACE_CHECK(scheduler_.find(id)->job.state == JobState::completed);
    }

    void submit() {
        Job job{.id = "job-" + std::to_string(1'000'000 + submitted_++)};
        job.spec = {.transform = "resample-16k", .source = "recordings", .destination = "recordings-16k"};
        job.request_json = R"({"transform":"resample-16k","source":"ais://recordings","destination":"ais://recordings-16k"})";
        slices_[job.id].resize(targets_.size());
        for (const std::string& target : targets_) job.slices[target] = {};
        record_bytes_ = persist_.of([&] { return state::encode_record(job).size(); });  // before it is submitted
        submit_.of([&] { scheduler_.submit(std::move(job), {}, now_); });
        carry_out();
    }

    // What every target does with what it was told; then each slice changes, and says so.
    template <class Change>
    void exchange(Change change) {
        for (const auto& [target, directive] : std::exchange(directives_, {})) {
            slice(directive.job, target).revision = directive.revision;
            const std::string bytes = wire::encode(wire::DirectiveAck{directive.job, directive.revision, false});
            ack_.of([&, &from = target] { scheduler_.receive(from, std::get<wire::DirectiveAck>(*wire::decode(bytes)), now_, 0); });
        }
        for (const std::string& target : targets_) {
            for (auto& [id, slices] : slices_) {
                SimulatedSlice& slice = slices[index(target)];
                change(slice);
                wire::SliceStatus status{.job = id, .revision = slice.revision, .incarnation = 1, .seq = ++slice.seq, .state = slice.state};
                status.counters.done = slice.done;
                status.counters.bytes_in = slice.done * 4096;
                status.total_objects = 1000 * options_.statuses;
                status.total_known = true;
                const std::string bytes = wire::encode(status);
                status_.of([&] { scheduler_.receive(target, std::get<wire::SliceStatus>(*wire::decode(bytes)), now_, 1); });
                carry_out();
            }
        }
        now_ += milliseconds(100);
        tick(busy_tick_);
    }

    void tick(Cost& cost) {
        cost.of([&] { scheduler_.tick(now_, 1); });
        carry_out();
    }

    void carry_out() {
        for (const Effect& effect : scheduler_.take_effects()) {
            if (const auto* persist = std::get_if<PersistJob>(&effect)) {
                record_bytes_ = persist_.of([&] { return state::encode_record(scheduler_.find(persist->job)->job).size(); });
            } else if (const auto* send = std::get_if<SendMessage>(&effect)) {
                const auto* directive = std::get_if<wire::Directive>(&send->message);
                Cost& cost = directive != nullptr ? directive_ : status_ack_;
                cost.of([&] { return wire::encode(send->message).size(); });
                if (directive != nullptr) directives_.emplace_back(send->target, *directive);
            }
        }
    }

    SimulatedSlice& slice(const std::string& job, const std::string& target) { return slices_.at(job)[index(target)]; }
    static std::size_t index(const std::string& target) { return std::stoul(target.substr(7)) - 10'000; }

    void report(std::uint64_t kept) const {
        const double slices = static_cast<double>(options_.jobs) * options_.targets;
        std::printf(R"({"targets": %u, "jobs": %u, "live_jobs": %u, "statuses": %llu, "directives": %llu,
 "microseconds": {"status": %.2f, "acknowledgement of a status": %.2f, "directive": %.2f, "acknowledgement of a directive": %.2f,
  "submit": %.1f, "record of a job": %.1f, "tick, jobs running": %.0f, "tick, all jobs over": %.0f},
 "record_bytes": %zu, "resident_bytes_per_slice": %.0f}
)",
                    options_.targets, options_.jobs, options_.live, static_cast<unsigned long long>(status_.count()),
                    static_cast<unsigned long long>(directive_.count()), status_.microseconds(), status_ack_.microseconds(), directive_.microseconds(),
                    ack_.microseconds(), submit_.microseconds(), persist_.microseconds(), busy_tick_.microseconds(), quiet_tick_.microseconds(),
                    record_bytes_, static_cast<double>(kept) / slices);
    }

    const Options options_;
    Scheduler scheduler_;
    std::vector<std::string> targets_;
    std::map<std::string, std::vector<SimulatedSlice>> slices_;  // of the jobs of this wave
    std::vector<std::pair<std::string, wire::Directive>> directives_;
    Instant now_ = steady_now();
    std::uint64_t submitted_ = 0;
    std::size_t record_bytes_ = 0;
    Cost status_, status_ack_, directive_, ack_, submit_, persist_, busy_tick_, quiet_tick_;
};

}  // namespace
}  // namespace millrace::scheduler

int main(int argc, char** argv) {
    millrace::scheduler::Options options;
    CLI::App app("What jobs, directives and statuses cost a proxy");
    app.add_option("--targets", options.targets)->check(CLI::Range(1, 89'999));
    app.add_option("--jobs", options.jobs)->check(CLI::PositiveNumber);
    app.add_option("--live", options.live, "Jobs that run at once")->check(CLI::PositiveNumber);
    app.add_option("--statuses", options.statuses, "About progress, of each slice");
    CLI11_PARSE(app, argc, argv);
    if (!millrace::log::start("bench", millrace::log::Level::warn, "")) return 1;
    millrace::scheduler::Benchmark(options).run();
}
