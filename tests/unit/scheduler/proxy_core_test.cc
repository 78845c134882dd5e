// A proxy whose disk refuses writes: what was answered with an error was not done, and nothing of it happens later.
#include "scheduler/proxy_core.h"

#include <gtest/gtest.h>

#include "scheduler/job_machine.h"
#include "tests/unit/scheduler/memory_metadata.h"

namespace millrace::scheduler {
namespace {

class ProxyWithAFullDisk : public testing::Test {
protected:
    ProxyWithAFullDisk() {
        wire::Catalog catalog{.version = 3};
        for (const char* name : {"from", "to"}) catalog.buckets.push_back({.name = name, .uid = name, .small_object_bytes_max = 16384});
        metadata_.values["catalog"] = encode(catalog);
        metadata_.values["members"] = encode(MemberList{1, {"t1", "t2"}, {}, 0});
        open();
    }
    ~ProxyWithAFullDisk() override { close(); }

    void open() {
        close();
        core_ = *run_blocking(loop_.get(), ProxyCore::open(loop_.get(), aside_, config_, metadata_));
    }
    void close() {
        here([this] {
            core_.reset();
            return 0;
        });
    }
    template <class F>
    std::invoke_result_t<F> here(F f) {
        return run_blocking(loop_.get(), call_on(loop_.get().executor(), std::move(f)));
    }
    Result<std::string> submit(const std::string& key = "") {
        JobRequest request;
        request.spec.operation = wire::Operation::copy;
        request.spec.source = "from";
        request.spec.destination = "to";
        request.spec.has_list = true;
        request.objects = {"a", "b"};
        return run_blocking(loop_.get(), core_->jobs().submit(std::move(request), key));
    }
    Result<void> command(const std::string& id, const Scheduler::Command& change) {
        return run_blocking(loop_.get(), core_->jobs().command(id, change));
    }
    Result<void> remove(const std::string& id) {
        return run_blocking(loop_.get(), core_->jobs().remove(id));
    }
    Job job(const std::string& id) {
        return here([&] { return core_->state().jobs.find(id)->job; });
    }
    std::size_t objects(const std::string& id) {
        return here([&] { return core_->state().jobs.find(id)->objects.names().size(); });
    }
    std::size_t jobs() {
        return here([&] { return core_->state().jobs.jobs().size(); });
    }
    // The next change of anything, by which what could not be written before is written.
    void disk_takes_writes_again() {
        metadata_.refuses = false;
        ASSERT_TRUE(submit());
    }

    struct OwnLoop {
        Loop& get() { return loop; }
        Loop loop{"control"};
    } loop_;
    BlockingPool aside_{1};
    ProxyConfig config_;
    Memory metadata_;
    std::unique_ptr<ProxyCore> core_;
};

const Scheduler::Command kPause = [](Job& job) { return pause(job); };
const Scheduler::Command kResume = [](Job& job) { return resume(job); };
const Scheduler::Command kCancel = [](Job& job) { return cancel(job, 1); };
const Scheduler::Command kRetry = [](Job& job) { return retry(job, 1); };

TEST_F(ProxyWithAFullDisk, ACommandThatWasRefusedIsNotDoneLater) {
    for (const bool lies : {false, true}) {
        metadata_.writes_all_the_same = lies;
        const std::string id = *submit();
        for (const auto& [command_it, first] : {std::pair(&kPause, &kPause), {&kCancel, &kCancel}, {&kResume, &kPause}, {&kRetry, &kCancel}}) {
            if (command_it != first) ASSERT_TRUE(command(id, *first));
            const Job before = job(id);
            metadata_.refuses = true;
            const auto refused = command(id, *command_it);
            ASSERT_FALSE(refused);
            EXPECT_EQ(refused.error().code, Code::no_space);
            EXPECT_NE(refused.error().context.find("stays as it was"), std::string::npos) << refused.error().context;
            disk_takes_writes_again();
            for (const bool after_restart : {false, true}) {
                if (after_restart) open();
                EXPECT_EQ(job(id).state, before.state);
                EXPECT_EQ(job(id).desired, before.desired);
                EXPECT_EQ(job(id).revision, before.revision);
                EXPECT_EQ(job(id).epoch, before.epoch);
                EXPECT_EQ(job(id).pass, before.pass);
                EXPECT_EQ(objects(id), 2u);
            }
            if (job(id).state == JobState::paused || is_terminal(job(id).state)) ASSERT_TRUE(command(id, kResume));
        }
    }
}

TEST_F(ProxyWithAFullDisk, AJobThatWasRefusedIsNotThereLater) {
    for (const bool lies : {false, true}) {
        metadata_.writes_all_the_same = lies;
        const std::size_t before = jobs();
        metadata_.refuses = true;
        ASSERT_FALSE(submit("once"));
        EXPECT_EQ(jobs(), before);
        disk_takes_writes_again();
        open();
        EXPECT_EQ(jobs(), before + 1);
    }
    EXPECT_TRUE(submit("once"));
}

TEST_F(ProxyWithAFullDisk, ARemovalThatWasRefusedIsNotDoneLater) {
    for (const bool lies : {false, true}) {
        metadata_.writes_all_the_same = lies;
        const std::string id = *submit("key");
        ASSERT_TRUE(command(id, kCancel));
        metadata_.refuses = true;
        ASSERT_FALSE(remove(id));
        EXPECT_EQ(job(id).state, JobState::cancelled);
        disk_takes_writes_again();
        for (const bool after_restart : {false, true}) {
            if (after_restart) open();
            EXPECT_EQ(job(id).state, JobState::cancelled);
            EXPECT_EQ(objects(id), 2u);
            EXPECT_EQ(here([&] { return core_->state().jobs.job_of_key("key"); }), id);
        }
        ASSERT_TRUE(remove(id));
        open();
        EXPECT_FALSE(here([&] { return core_->state().jobs.job_of_key("key"); }));
    }
}

TEST_F(ProxyWithAFullDisk, AChangeOfTheCatalogThatWasRefusedIsNotDoneLater) {
    for (const bool lies : {false, true}) {
        metadata_.writes_all_the_same = lies;
        metadata_.refuses = true;
        ASSERT_FALSE(run_blocking(loop_.get(), core_->catalog().create_bucket("another", 16384)));
        ASSERT_FALSE(run_blocking(loop_.get(), core_->catalog().destroy_bucket("to")));
        ASSERT_FALSE(run_blocking(loop_.get(), core_->catalog().rename_bucket("from", "elsewhere")));
        ASSERT_FALSE(submit()) << "nor anything that comes with it";
        const auto has = [this](const char* bucket) {
            return here([&] { return core_->state().catalog.bucket(bucket) != nullptr; });
        };
        disk_takes_writes_again();
        for (const bool after_restart : {false, true}) {
            if (after_restart) open();
            EXPECT_TRUE(has("from") && has("to"));
            EXPECT_FALSE(has("another") || has("elsewhere"));
        }
        for (const auto& [id, live] : here([&] { return core_->state().jobs.jobs(); })) {  // none uses a bucket any more
            if (!is_terminal(live.job.state)) ASSERT_TRUE(command(id, kCancel));
        }
    }
}

TEST_F(ProxyWithAFullDisk, WhatWaitsToBeWrittenDoesNotPileUp) {
    const std::string id = *submit();
    metadata_.refuses = true;
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(command(id, kPause));
    EXPECT_EQ(job(id).revision, 1u);
    EXPECT_LE(metadata_.changes_max, 3u) << "the job, with its list";
}

}  // namespace
}  // namespace millrace::scheduler
