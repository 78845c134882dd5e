#include "scheduler/job_machine.h"

#include <gtest/gtest.h>

#include "tests/unit/scheduler/fixture.h"

namespace millrace::scheduler {
namespace {

using wire::Desired;
using wire::SliceState;

const SliceCounters kAllDone{.done = 10};
const SliceCounters kSomeFailed{.done = 7, .skipped = 1, .failed = 1, .quarantined = 1};

TEST(JobMachine, RunsWhenEverySliceIsReady) {
    Job job = make_job();
    EXPECT_FALSE(advance(job, everyone, kNow));
    hear(job, "t1", SliceState::ready);
    EXPECT_FALSE(advance(job, everyone, kNow));
    hear(job, "t2", SliceState::ready);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::running);
    EXPECT_EQ(job.desired, Desired::run);
    EXPECT_EQ(job.revision, 2u);
    EXPECT_EQ(job.started_unix_ns, kNow);
    EXPECT_TRUE(job.prepared);
}

TEST(JobMachine, DoesNotWaitForATargetThatIsOffline) {
    Job job = make_job();
    hear(job, "t1", SliceState::ready);
    EXPECT_TRUE(advance(job, [](const std::string& target) { return target == "t1"; }, kNow));
    EXPECT_EQ(job.state, JobState::running);
}

TEST(JobMachine, DoesNotStartWhileEverybodyIsOffline) {
    Job job = make_job();
    hear_all(job, SliceState::ready);
    EXPECT_FALSE(advance(job, nobody, kNow));
}

TEST(JobMachine, CompletesWhenEverySliceHasFinished) {
    Job job = running_job();
    hear(job, "t1", SliceState::finished, kAllDone);
    EXPECT_FALSE(advance(job, [](const std::string& target) { return target == "t1"; }, kNow)) << "an offline slice is not finished";
    hear(job, "t2", SliceState::finished, kAllDone);
    EXPECT_TRUE(advance(job, nobody, kNow + 5)) << "what was said stays true when the target goes";
    EXPECT_EQ(job.state, JobState::completed);
    EXPECT_EQ(job.finished_unix_ns, kNow + 5);
    EXPECT_FALSE(advance(job, everyone, kNow + 6));
}

TEST(JobMachine, FailuresMakeItCompletedWithErrors) {
    Job job = running_job();
    hear(job, "t1", SliceState::finished, kAllDone);
    hear(job, "t2", SliceState::finished, kSomeFailed);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed_with_errors);
}

TEST(JobMachine, WhatWasSaidUnderAnEarlierRevisionDoesNotCount) {
    Job job = running_job();
    hear_all(job, SliceState::finished, kSomeFailed);
    ASSERT_TRUE(advance(job, everyone, kNow));
    ASSERT_TRUE(retry(job, kNow));
    EXPECT_FALSE(advance(job, everyone, kNow)) << "both slices finished, but before the retry";
    hear_all(job, SliceState::finished, kAllDone);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed);
}

TEST(JobMachine, ASliceThatFailsFailsTheJob) {
    Job job = make_job();
    wire::SliceStatus status = status_of(job, "t2", SliceState::failed);
    status.reason = "a.flac and a.mp3 would get the same name";
    ASSERT_NE(absorb(job, "t2", status), News::none);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.desired, Desired::stop);
    EXPECT_EQ(job.reason, "target t2: a.flac and a.mp3 would get the same name");
}

TEST(JobMachine, PlanStopsWhenEverySliceIsReadyEvenTheOfflineOnes) {
    Job job = make_job();
    job.spec.dry_run = wire::DryRun::plan;
    hear(job, "t1", SliceState::ready);
    EXPECT_FALSE(advance(job, [](const std::string& target) { return target == "t1"; }, kNow));
    hear(job, "t2", SliceState::ready);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed);
    EXPECT_EQ(job.desired, Desired::prepare) << "nothing is run";
}

// ---- commands

TEST(JobMachine, EveryCommandSaysWhenItIsPossible) {
    struct Case {
        JobState state;
        bool pause, resume, retry, cancel;
    };
    const Case cases[] = {
        {JobState::preparing, true, false, false, true}, {JobState::running, true, false, false, true},
        {JobState::paused, false, true, true, true},     {JobState::completed, false, false, false, false},
        {JobState::completed_with_errors, false, false, true, false}, {JobState::failed, false, true, true, false},
        {JobState::cancelled, false, true, true, false},
    };
    for (const Case& c : cases) {
        Job job = make_job();
        job.state = c.state;
        const auto possible = [&](auto command) {
            Job copy = job;
            const Result<void> done = command(copy);
            if (!done) EXPECT_EQ(done.error().code, Code::conflict);
            EXPECT_EQ(copy.revision, done ? job.revision + 1 : job.revision) << "only what changes raises the revision";
            return done.has_value();
        };
        const std::string name(job_state_name(c.state));
        EXPECT_EQ(possible([](Job& j) { return pause(j); }), c.pause) << name;
        EXPECT_EQ(possible([](Job& j) { return resume(j); }), c.resume) << name;
        EXPECT_EQ(possible([](Job& j) { return retry(j, kNow); }), c.retry) << name;
        EXPECT_EQ(possible([](Job& j) { return cancel(j, kNow); }), c.cancel) << name;
    }
}

TEST(JobMachine, ResumeContinuesUnderANewEpoch) {
    Job job = running_job();
    ASSERT_TRUE(pause(job));
    EXPECT_EQ(job.desired, Desired::pause);
    const std::uint64_t epoch = job.epoch;
    ASSERT_TRUE(resume(job));
    EXPECT_EQ(job.state, JobState::running);
    EXPECT_EQ(job.desired, Desired::run);
    EXPECT_EQ(job.epoch, epoch + 1);
    EXPECT_EQ(job.pass, 1u);
}

TEST(JobMachine, ResumeOfAJobThatNeverRanPreparesAgain) {
    Job job = make_job();
    ASSERT_TRUE(cancel(job, kNow));
    ASSERT_TRUE(resume(job));
    EXPECT_EQ(job.state, JobState::preparing);
    EXPECT_EQ(job.desired, Desired::prepare);
    EXPECT_EQ(job.finished_unix_ns, 0);
}

TEST(JobMachine, RetryRaisesThePass) {
    Job job = running_job();
    hear_all(job, SliceState::finished, kSomeFailed);
    ASSERT_TRUE(advance(job, everyone, kNow));
    ASSERT_TRUE(retry(job, kNow));
    EXPECT_EQ(job.pass, 2u);
    EXPECT_EQ(job.state, JobState::running);
}

TEST(JobMachine, RetryOfADryRunIsRefused) {
    Job job = running_job();
    job.spec.dry_run = wire::DryRun::run;
    hear_all(job, SliceState::finished, kSomeFailed);
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_FALSE(retry(job, kNow));
}

// ---- failure limits

TEST(JobMachine, AbortsAfterMoreFailuresThanAllowed) {
    Job job = running_job();
    job.spec.on_error = wire::OnError::abort_after_count;
    job.spec.on_error_limit = 3;
    hear(job, "t1", SliceState::running, {.done = 1, .failed = 2});
    hear(job, "t2", SliceState::running, {.done = 1, .failed = 1});
    EXPECT_FALSE(advance(job, everyone, kNow)) << "three are allowed";
    hear(job, "t2", SliceState::running, {.done = 1, .failed = 1, .quarantined = 1});
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.reason, "4 objects failed; the job allows 3");
}

TEST(JobMachine, APercentageIsOfTheKnownTotal) {
    Job job = running_job();  // of 20 objects
    job.spec.on_error = wire::OnError::abort_after_percent;
    job.spec.on_error_limit = 10;
    hear(job, "t1", SliceState::running, {.failed = 2});
    EXPECT_FALSE(advance(job, everyone, kNow)) << "ten percent are allowed";
    hear(job, "t1", SliceState::running, {.failed = 3});
    job.slices["t2"].status.total_known = false;
    EXPECT_FALSE(advance(job, everyone, kNow)) << "of what?";
    job.slices["t2"].status.total_known = true;
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::failed);
}

TEST(JobMachine, FailuresBeforeAResumeAreForgiven) {
    Job job = running_job();
    job.spec.on_error = wire::OnError::abort_after_count;
    job.spec.on_error_limit = 2;
    hear(job, "t1", SliceState::running, {.failed = 3});
    ASSERT_TRUE(advance(job, everyone, kNow));
    ASSERT_EQ(job.state, JobState::failed);
    ASSERT_TRUE(resume(job));
    EXPECT_FALSE(advance(job, everyone, kNow)) << "it would fail again at once";
    EXPECT_EQ(job.state, JobState::running);
    const auto hear_of = [&](std::uint64_t incarnation, std::uint64_t failed, std::uint64_t forgiven) {
        wire::SliceStatus status = status_of(job, "t1", SliceState::running, {.failed = failed});
        status.incarnation = incarnation;
        status.failures_forgiven = forgiven;
        EXPECT_NE(absorb(job, "t1", status), News::none);
        return advance(job, everyone, kNow);
    };
    EXPECT_FALSE(hear_of(1, 4, 4)) << "what failed before it heard of the resume";
    EXPECT_FALSE(hear_of(1, 9, 9)) << "attempts from before, that ended after it";
    EXPECT_FALSE(hear_of(1, 11, 9));
    EXPECT_FALSE(hear_of(2, 11, 11)) << "a restart";
    EXPECT_TRUE(hear_of(2, 12, 11)) << "does not make the job forget what failed before it";
    EXPECT_EQ(job.state, JobState::failed);
}

TEST(JobMachine, ARetryThatMendsObjectsIsNotHeldAgainstTheJob) {
    Job job = running_job();
    job.spec.on_error = wire::OnError::abort_after_count;
    job.spec.on_error_limit = 0;
    hear(job, "t1", SliceState::running, {.failed = 3});
    ASSERT_TRUE(advance(job, everyone, kNow));
    ASSERT_TRUE(retry(job, kNow));
    wire::SliceStatus mended = status_of(job, "t1", SliceState::finished, {.done = 2, .failed = 1});
    mended.failures_forgiven = 3;
    (void)absorb(job, "t1", mended);
    hear(job, "t2", SliceState::finished, kAllDone);
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed_with_errors);
}

// ---- statuses

TEST(JobMachine, OlderStatusesAreIgnored) {
    Job job = make_job();
    wire::SliceStatus status = status_of(job, "t1", SliceState::running, {.done = 5});
    status.incarnation = 2;
    status.seq = 7;
    EXPECT_EQ(absorb(job, "t1", status), News::progress);
    EXPECT_EQ(absorb(job, "t1", status), News::none) << "doubled";
    wire::SliceStatus older = status;
    older.seq = 6;
    EXPECT_EQ(absorb(job, "t1", older), News::none);
    older = {.job = job.id, .revision = 1, .incarnation = 1, .seq = 100};
    EXPECT_EQ(absorb(job, "t1", older), News::none) << "from before its restart";
    wire::SliceStatus newer = status;
    newer.incarnation = 3;
    newer.seq = 1;
    EXPECT_NE(absorb(job, "t1", newer), News::none);
}

TEST(JobMachine, AStatusIsDecisiveWhenTheJobMayMoveOn) {
    Job job = make_job();
    const auto news = [&](const std::string& target, SliceState state, SliceCounters counters = {}) {
        return absorb(job, target, status_of(job, target, state, counters));
    };
    EXPECT_EQ(news("t1", SliceState::ready), News::progress);
    EXPECT_EQ(news("t2", SliceState::preparing), News::progress);
    EXPECT_EQ(news("t2", SliceState::ready), News::decisive) << "the last that was waited for";
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(news("t1", SliceState::running, {.done = 5}), News::progress);
    EXPECT_EQ(news("t1", SliceState::finished, {.done = 10}), News::progress);
    EXPECT_EQ(news("t1", SliceState::running, {.done = 10}), News::progress) << "back again";
    EXPECT_EQ(news("t2", SliceState::finished, {.done = 10}), News::progress);
    EXPECT_EQ(news("t1", SliceState::finished, {.done = 10}), News::decisive);
    EXPECT_TRUE(advance(job, everyone, kNow));
}

TEST(JobMachine, AFailedSliceIsDecisive) {
    Job job = running_job();
    EXPECT_EQ(absorb(job, "t1", status_of(job, "t1", SliceState::failed)), News::decisive);
}

TEST(JobMachine, FailuresAreDecisiveWhereTheyAreLimited) {
    Job job = running_job();
    EXPECT_EQ(absorb(job, "t1", status_of(job, "t1", SliceState::running, {.failed = 1})), News::progress);
    job.spec.on_error = wire::OnError::abort_after_count;
    EXPECT_EQ(absorb(job, "t1", status_of(job, "t1", SliceState::running, {.failed = 1})), News::progress);
    EXPECT_EQ(absorb(job, "t1", status_of(job, "t1", SliceState::running, {.failed = 2})), News::decisive);
}

// What a proxy finds in its database at its start.
TEST(JobMachine, StatusesOfAnEarlierProcessCount) {
    Job job = running_job();
    hear(job, "t1", SliceState::finished);
    job.tally = {};
    EXPECT_EQ(absorb(job, "t2", status_of(job, "t2", SliceState::finished)), News::decisive);
}

TEST(JobMachine, ForeignStatusesAreIgnored) {
    Job job = make_job();
    EXPECT_EQ(absorb(job, "stranger", {.job = job.id, .revision = 1, .incarnation = 1, .seq = 1}), News::none);
    EXPECT_EQ(absorb(job, "t1", {.job = job.id, .revision = job.revision + 1, .incarnation = 1, .seq = 1}), News::none) << "a revision that was never given";
    EXPECT_FALSE(job.slices.at("t1").heard);
}

TEST(JobMachine, TotalsAreKnownWhenEverySliceKnowsThem) {
    Job job = make_job();
    hear(job, "t1", SliceState::running, kSomeFailed);
    EXPECT_FALSE(totals(job).total_known);
    hear(job, "t2", SliceState::running, kAllDone);
    const JobTotals sum = totals(job);
    EXPECT_TRUE(sum.total_known);
    EXPECT_EQ(sum.total_objects, 20u);
    EXPECT_EQ(sum.counters.settled(), 20u);
    EXPECT_EQ(sum.counters.done, 17u);
}

TEST(JobMachine, AJobReadsBackFromItsRecord) {
    Job job = running_job();
    job.slices.at("t1").failures_forgiven = 4;
    hear(job, "t1", SliceState::running, kSomeFailed);
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, job);
    const Job again = msgpack::unpack(buffer.data(), buffer.size()).get().as<Job>();
    msgpack::sbuffer second;
    msgpack::pack(second, again);
    EXPECT_EQ(std::string_view(buffer.data(), buffer.size()), std::string_view(second.data(), second.size()));
    EXPECT_EQ(again.state, JobState::running);
    EXPECT_EQ(again.slices.at("t1").status.counters, kSomeFailed);
}

// ---- what a target lost

constexpr auto kWhy = "target t1 was accepted";

Job completed_job() {
    Job job = running_job();
    hear_all(job, SliceState::finished, {.done = 10});
    EXPECT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed);
    return job;
}

// What the target says next, with the numbers of its copy.
void hear_copy(Job& job, SliceState state, SliceCounters counters, std::uint64_t total = 10) {
    wire::SliceStatus status = status_of(job, "t1", state, counters, total);
    status.incarnation = 1;
    status.seq = 1;
    EXPECT_NE(absorb(job, "t1", status), News::none) << "smaller numbers are taken";
}

TEST(Losses, ASliceOfARunningJobBeginsAgainFromWhatItsTargetSays) {
    Job job = running_job();
    wire::SliceStatus far = status_of(job, "t1", SliceState::running, {.done = 7});
    far.incarnation = 9;
    far.seq = 500;
    ASSERT_NE(absorb(job, "t1", far), News::none);
    const Job before = job;
    lose_slice(job, "t1", kWhy);
    EXPECT_GT(job.epoch, before.epoch) << "or fences elsewhere refuse the older incarnation";
    EXPECT_GT(job.revision, before.revision);
    EXPECT_EQ(job.state, JobState::running);
    hear_copy(job, SliceState::running, {.done = 3});
    EXPECT_EQ(job.slices.at("t1").status.counters.done, 3u);
    hear(job, "t1", SliceState::finished, {.done = 10});
    hear(job, "t2", SliceState::finished, {.done = 10});
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed) << "everything that was selected was there: " << job.reason;
}

TEST(Losses, ObjectsThatAreNotThereAnyMoreAreCounted) {
    Job job = running_job();
    hear(job, "t1", SliceState::running, {.done = 7});
    lose_slice(job, "t1", kWhy);
    wire::SliceStatus empty = status_of(job, "t1", SliceState::finished, {}, 0);
    ASSERT_NE(absorb(job, "t1", empty), News::none);
    hear(job, "t2", SliceState::finished, {.done = 10});
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed_with_errors);
    EXPECT_NE(job.reason.find("10 of its 10 selected objects"), std::string::npos) << job.reason;
}

TEST(Losses, OutputsThatBelongElsewhereMayBeMissing) {
    Job job = running_job();
    job.spec.prepend = "x/";
    lose_slice(job, "t1", kWhy);
    hear_all(job, SliceState::finished, {.done = 10});
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed_with_errors) << job.reason;
}

TEST(Losses, ACompletedJobStaysSoIfItsTargetStillHasItAll) {
    Job job = completed_job();
    lose_slice(job, "t1", kWhy);
    EXPECT_EQ(job.state, JobState::completed);
    EXPECT_EQ(job.desired, wire::Desired::stop) << "it is over: nothing of it runs because a copy is older";
    EXPECT_FALSE(settle_loss(job, "t1", true, kNow)) << "nothing was heard yet";
    hear_copy(job, SliceState::finished, {.done = 10});
    EXPECT_TRUE(settle_loss(job, "t1", true, kNow));
    EXPECT_EQ(job.state, JobState::completed);
    EXPECT_TRUE(job.slices.at("t1").loss.empty());
}

TEST(Losses, ACompletedJobWhoseTargetLacksResultsIsFailedAndCanBeResumed) {
    Job job = completed_job();
    lose_slice(job, "t1", kWhy);
    hear_copy(job, SliceState::stopped, {.done = 4});
    ASSERT_TRUE(settle_loss(job, "t1", true, kNow));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_NE(job.reason.find("resume"), std::string::npos) << job.reason;
    ASSERT_TRUE(resume(job));
    hear_all(job, SliceState::finished, {.done = 10});
    ASSERT_TRUE(advance(job, everyone, kNow));
    EXPECT_EQ(job.state, JobState::completed) << job.reason;
}

TEST(Losses, ACopyFromBeforeARetryLacksWhatTheRetryMade) {
    Job job = running_job();
    hear_all(job, SliceState::finished, kSomeFailed);
    ASSERT_TRUE(advance(job, everyone, kNow));
    ASSERT_EQ(job.state, JobState::completed_with_errors);
    lose_slice(job, "t1", kWhy);
    hear_copy(job, SliceState::stopped, {.done = 6, .skipped = 1, .failed = 2, .quarantined = 1});
    ASSERT_TRUE(settle_loss(job, "t1", true, kNow));
    EXPECT_EQ(job.state, JobState::failed) << "as many are settled, but one result fewer is there";
}

TEST(Losses, ATargetThatDoesNotKnowACompletedJobHasLostItsResults) {
    Job job = completed_job();
    lose_slice(job, "t1", kWhy);
    ASSERT_TRUE(settle_loss(job, "t1", false, kNow));
    EXPECT_EQ(job.state, JobState::failed);
}

TEST(Overtaking, NumbersGoBeyondWhatTargetsHaveSeen) {
    Job job = running_job();
    const Job before = job;
    overtake(job, 1);
    EXPECT_GE(job.revision, before.revision + 1'000'000);
    EXPECT_GE(job.epoch, before.epoch + 1'000'000);
    ASSERT_TRUE(fail_removed(job, "t1", kNow)) << "it was removed since, so it does not start anew by itself";
    EXPECT_EQ(job.state, JobState::failed);
    ASSERT_TRUE(resume(job));
    EXPECT_FALSE(fail_removed(job, "t1", kNow)) << "but by a command";
    ASSERT_TRUE(pause(job));
    ASSERT_TRUE(retry(job, kNow));
    EXPECT_GT(job.pass, 1'000'000u) << "targets may have seen passes, too";
}

TEST(Overtaking, ADirectiveThatATargetHasAndThisProxyDoesNotIsOvertakenToo) {
    Job job = running_job();
    const Job before = job;
    EXPECT_FALSE(overtake_unknown(job, job.revision));
    ASSERT_TRUE(overtake_unknown(job, 100));
    EXPECT_EQ(job.revision, 101u);
    EXPECT_GT(job.epoch, 100u);
    EXPECT_EQ(job.desired, before.desired);
    EXPECT_EQ(job.state, before.state);
}

TEST(Overtaking, EachLifeOfTheProxySinceTheCopyIsOvertaken) {
    Job once = running_job();
    Job twice = running_job();
    overtake(once, 1);
    overtake(twice, 2);
    EXPECT_GE(twice.revision, once.revision + 1'000'000);
    EXPECT_GE(twice.epoch, once.epoch + 1'000'000);
}

}  // namespace
}  // namespace millrace::scheduler
