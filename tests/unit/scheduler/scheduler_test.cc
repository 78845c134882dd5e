#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/scheduler/fixture.h"

namespace millrace::scheduler {
namespace {

using wire::Desired;
using wire::SliceState;

const Placement kPlacement(1, {TargetId("t1"), TargetId("t2")});

class Scheduling : public testing::Test {
protected:
    void submit(std::vector<std::string> objects = {}) {
        Job job = make_job();
        job.slices = {{"t1", {}}, {"t2", {}}};
        job.idempotency_key = "key-1";
        job.spec.has_list = !objects.empty();
        scheduler_.submit(std::move(job), ListedObjects(std::move(objects), kPlacement, part_bytes_max_), now_);
    }

    // The directives among the effects, by target.
    std::map<std::string, wire::Directive> directives() {
        std::map<std::string, wire::Directive> found;
        for (const Effect& effect : scheduler_.take_effects()) {
            const auto* message = std::get_if<SendMessage>(&effect);
            const auto* directive = message == nullptr ? nullptr : std::get_if<wire::Directive>(&message->message);
            if (directive != nullptr) found[message->target] = *directive;
        }
        return found;
    }

    // As a user's command is carried out: its outcome is written down first.
    Result<void> command(const std::string& id, const Scheduler::Command& change) {
        MILLRACE_TRY_ASSIGN(Job commanded, scheduler_.commanded(id, change, now_, kNow));
        scheduler_.take(std::move(commanded), now_);
        return {};
    }
    Result<void> remove(const std::string& id) {
        MILLRACE_TRY(scheduler_.check_removable(id));
        scheduler_.remove(id);
        return {};
    }

    void acknowledge(const std::string& target) {
        scheduler_.receive(target, wire::DirectiveAck{"job-1", job().revision, false}, now_, kNow);
    }

    void report(const std::string& target, SliceState state, SliceCounters counters = {}) {
        scheduler_.receive(target, status_of(job(), target, state, counters), now_, kNow);
    }

    void tick(Duration later) {
        now_ += later;
        scheduler_.tick(now_, kNow);
    }

    const Job& job() { return scheduler_.find("job-1")->job; }

    std::size_t part_bytes_max_ = kPartBytesMax;
    std::set<std::string> online_{"t1", "t2"};
    Scheduler scheduler_{[this](const std::string& target) { return online_.contains(target); }};
    Instant now_ = Instant{} + std::chrono::hours(1);
};

TEST_F(Scheduling, WhatAUserAsksForIsToldOnceItIsTakenIn) {
    submit();
    const std::vector<Effect> effects = scheduler_.take_effects();
    ASSERT_EQ(effects.size(), 2u) << "it was written down before";
    EXPECT_TRUE(std::holds_alternative<SendMessage>(effects[0]));
    EXPECT_TRUE(std::holds_alternative<SendMessage>(effects[1]));
    EXPECT_TRUE(scheduler_.take_effects().empty());
}

TEST_F(Scheduling, ACommandChangesNothingBeforeItIsTakenIn) {
    submit();
    (void)scheduler_.take_effects();
    const auto commanded = scheduler_.commanded("job-1", [](Job& live) { return pause(live); }, now_, kNow);
    ASSERT_TRUE(commanded);
    EXPECT_EQ(commanded->revision, 2u);
    EXPECT_EQ(job().revision, 1u);
    EXPECT_TRUE(scheduler_.take_effects().empty());
}

TEST_F(Scheduling, EveryChangeIsWrittenDownBeforeAnyoneIsTold) {
    submit();
    report("t1", SliceState::ready);
    (void)scheduler_.take_effects();
    report("t2", SliceState::ready);
    const std::vector<Effect> effects = scheduler_.take_effects();
    ASSERT_EQ(effects.size(), 4u);  // the acknowledgement, then the change
    EXPECT_TRUE(std::holds_alternative<wire::StatusAck>(std::get<SendMessage>(effects[0]).message));
    EXPECT_TRUE(std::holds_alternative<PersistJob>(effects[1]));
    EXPECT_EQ(job().state, JobState::running);
}

TEST_F(Scheduling, TheSpecIsSentUntilTheTargetHasIt) {
    submit();
    EXPECT_TRUE(directives().at("t1").has_spec);
    acknowledge("t1");
    ASSERT_TRUE(command("job-1", [](Job& live) { return pause(live); }));
    const auto told = directives();
    EXPECT_FALSE(told.at("t1").has_spec);
    EXPECT_TRUE(told.at("t2").has_spec) << "it has not acknowledged";
}

TEST_F(Scheduling, ATargetThatLostTheSpecGetsItAgain) {
    submit();
    acknowledge("t1");
    (void)directives();
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", 1, true}, now_, kNow);
    EXPECT_TRUE(directives().at("t1").has_spec);
}

TEST_F(Scheduling, WhatIsNotAcknowledgedIsRepeated) {
    submit();
    (void)directives();
    acknowledge("t1");
    tick(milliseconds(100));
    EXPECT_TRUE(directives().empty()) << "too early";
    tick(milliseconds(400));
    const auto told = directives();
    EXPECT_EQ(told.size(), 1u);
    EXPECT_TRUE(told.contains("t2"));
    acknowledge("t2");
    tick(milliseconds(5000));
    EXPECT_TRUE(directives().empty());
}

TEST_F(Scheduling, AnAcknowledgementOfAnOlderRevisionIsNotEnough) {
    submit();
    acknowledge("t1");
    ASSERT_TRUE(command("job-1", [](Job& live) { return pause(live); }));
    (void)directives();
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", 1, false}, now_, kNow);
    tick(milliseconds(500));
    EXPECT_EQ(directives().at("t1").desired, Desired::pause);
}

TEST_F(Scheduling, OfflineTargetsAreToldWhenTheyReturn) {
    online_ = {"t1"};
    submit();
    EXPECT_FALSE(directives().contains("t2"));
    tick(milliseconds(1000));
    EXPECT_FALSE(directives().contains("t2"));
    online_ = {"t1", "t2"};
    scheduler_.target_joined("t2", now_, kNow);
    EXPECT_TRUE(directives().at("t2").has_spec);
}

TEST_F(Scheduling, ATargetThatReturnsIsToldEvenWhatItAcknowledged) {
    submit();
    acknowledge("t1");
    (void)directives();
    scheduler_.target_joined("t1", now_, kNow);
    EXPECT_TRUE(directives().contains("t1"));
}

TEST_F(Scheduling, EveryStatusIsAcknowledgedEvenAnOldOne) {
    submit();
    (void)scheduler_.take_effects();
    const wire::SliceStatus status = status_of(job(), "t1", SliceState::preparing);
    for (int i = 0; i < 2; ++i) {
        scheduler_.receive("t1", status, now_, kNow);
        const std::vector<Effect> effects = scheduler_.take_effects();
        ASSERT_EQ(effects.size(), 1u);
        EXPECT_EQ(std::get<wire::StatusAck>(std::get<SendMessage>(effects[0]).message).seq, status.seq);
    }
}

TEST_F(Scheduling, AListIsSplitByOwner) {
    const std::vector<std::string> objects{"a", "b", "c", "d", "e", "f", "g"};
    submit(objects);
    const auto told = directives();
    std::set<std::string> together;
    for (const auto& [target, directive] : told) {
        for (const std::string& object : directive.spec.objects) {
            EXPECT_TRUE(together.insert(object).second) << object << " has two owners";
            EXPECT_EQ(kPlacement.owner(object)->str(), target);
        }
        EXPECT_TRUE(directive.spec.validate());
    }
    EXPECT_EQ(together.size(), objects.size());
    EXPECT_TRUE(job().spec.objects.empty()) << "the list is kept once";
}

TEST_F(Scheduling, ALongListTravelsInPartsAsTheyAreAskedFor) {
    part_bytes_max_ = 30;
    std::vector<std::string> objects;
    for (int i = 100; i < 200; ++i) objects.push_back("object-" + std::to_string(i));
    submit(objects);
    std::vector<std::string> together;
    for (std::uint32_t part = 0;; ++part) {
        const wire::Directive directive = directives()["t1"];
        ASSERT_TRUE(directive.has_spec);
        ASSERT_TRUE(directive.validate()) << directive.validate().error().context;
        ASSERT_EQ(directive.part, part);
        EXPECT_GT(directive.parts, 1u);
        EXPECT_LE(directive.spec.objects.size(), 3u);
        together.insert(together.end(), directive.spec.objects.rbegin(), directive.spec.objects.rend());
        if (part + 1 == directive.parts) break;
        const wire::DirectiveAck next{"job-1", job().revision, true, part + 1};
        scheduler_.receive("t1", next, now_, 0);
        scheduler_.receive("t1", next, now_, 0);  // doubled: answered once
    }
    EXPECT_TRUE(std::ranges::is_sorted(together));
    for (const std::string& object : together) EXPECT_EQ(kPlacement.owner(object)->str(), "t1");
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", job().revision, true, 0}, now_, 0);  // it was started again
    EXPECT_EQ(directives()["t1"].part, 0u);
    tick(std::chrono::seconds(1));
    EXPECT_EQ(directives()["t1"].part, 0u);
    acknowledge("t1");
    tick(std::chrono::seconds(1));
    EXPECT_FALSE(directives().contains("t1"));
}

TEST_F(Scheduling, ARestoredJobGoesOnWhereItWas) {
    submit({"a", "b"});
    report("t1", SliceState::ready);
    report("t2", SliceState::ready);
    const Job stored = job();
    Scheduler restarted([this](const std::string& target) { return online_.contains(target); });
    restarted.restore(stored, ListedObjects({"a", "b"}, kPlacement));
    EXPECT_EQ(restarted.job_of_key("key-1"), "job-1");
    EXPECT_TRUE(restarted.take_effects().empty());
    restarted.target_joined("t1", now_, kNow);
    const std::vector<Effect> effects = restarted.take_effects();
    ASSERT_EQ(effects.size(), 1u);
    const auto& directive = std::get<wire::Directive>(std::get<SendMessage>(effects[0]).message);
    EXPECT_EQ(directive.desired, Desired::run);
    EXPECT_EQ(directive.revision, stored.revision);
    EXPECT_FALSE(directive.has_spec) << "the target asks for it if it does not know the job";
}

TEST_F(Scheduling, EveryDirectiveTellsWhatTheJobIsAbout) {
    Job job = make_job();
    job.pins = {{1, {"bck-1", "bck-2", {{"to-wav", 7}}}}, {3, {"bck-1", "bck-3", {{"to-wav", 8}}}}};
    scheduler_.restore(job, {});
    tick(milliseconds(500));
    EXPECT_EQ(directives().at("t1").pins, job.pins.back().pins);
}

TEST_F(Scheduling, AJobWhoseSubjectIsGoneIsGivenUpUnlessItHasEnded) {
    submit();
    (void)scheduler_.take_effects();
    const auto check = [](const Job&) -> Result<void> { return fail(Code::conflict, "its bucket was destroyed"); };
    scheduler_.check_unfinished(check, now_, kNow);
    EXPECT_EQ(job().state, JobState::failed);
    EXPECT_EQ(job().reason, "its bucket was destroyed");
    EXPECT_EQ(directives().at("t1").desired, Desired::stop);
    scheduler_.check_unfinished(check, now_, kNow);
    EXPECT_TRUE(scheduler_.take_effects().empty());
}

TEST_F(Scheduling, AJobIsBeingAcceptedUntilEveryOnlineTargetHasIt) {
    submit();
    EXPECT_TRUE(scheduler_.is_being_accepted("job-1"));
    acknowledge("t1");
    EXPECT_TRUE(scheduler_.is_being_accepted("job-1"));
    online_.erase("t2");
    EXPECT_FALSE(scheduler_.is_being_accepted("job-1"));
    online_.insert("t2");
    acknowledge("t2");
    EXPECT_FALSE(scheduler_.is_being_accepted("job-1"));
    EXPECT_FALSE(scheduler_.is_being_accepted("job-x"));
}

TEST_F(Scheduling, UnknownJobsAreErrors) {
    EXPECT_EQ(command("job-x", [](Job& live) { return pause(live); }).error().code, Code::not_found);
    EXPECT_EQ(remove("job-x").error().code, Code::not_found);
}

TEST_F(Scheduling, ACommandThatIsRefusedChangesNothing) {
    submit();
    (void)scheduler_.take_effects();
    EXPECT_FALSE(command("job-1", [](Job& live) { return resume(live); }));
    EXPECT_TRUE(scheduler_.take_effects().empty());
}

TEST_F(Scheduling, OnlyATerminalJobCanBeRemoved) {
    submit();
    EXPECT_EQ(remove("job-1").error().code, Code::conflict);
    ASSERT_TRUE(command("job-1", [](Job& live) { return cancel(live, kNow); }));
    EXPECT_TRUE(remove("job-1"));
    EXPECT_EQ(scheduler_.find("job-1"), nullptr);
    EXPECT_EQ(scheduler_.job_of_key("key-1"), std::nullopt);
}

TEST_F(Scheduling, TargetsAreToldToForgetARemovedJobUntilTheySayTheyDid) {
    submit();
    ASSERT_TRUE(command("job-1", [](Job& live) { return cancel(live, kNow); }));
    (void)scheduler_.take_effects();
    ASSERT_TRUE(remove("job-1"));
    online_ = {"t1"};
    tick(milliseconds(0));
    auto told = directives();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told.at("t1").desired, Desired::forget);
    tick(milliseconds(500));
    EXPECT_TRUE(directives().contains("t1")) << "it may have been lost";
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", told.at("t1").revision, false}, now_, kNow);
    online_ = {"t1", "t2"};
    tick(milliseconds(500));
    told = directives();
    EXPECT_FALSE(told.contains("t1"));
    EXPECT_EQ(told.at("t2").desired, Desired::forget);
}

TEST_F(Scheduling, AStatusOfAJobThatIsGoneIsNotAcknowledgedButAnsweredWithForget) {
    scheduler_.receive("t1", wire::SliceStatus{.job = "job-0", .revision = 5, .incarnation = 1, .seq = 1}, now_, kNow);
    tick(milliseconds(0));
    const std::vector<Effect> effects = scheduler_.take_effects();
    ASSERT_EQ(effects.size(), 1u);
    const auto& directive = std::get<wire::Directive>(std::get<SendMessage>(effects[0]).message);
    EXPECT_EQ(directive.desired, Desired::forget);
    EXPECT_GT(directive.revision, 5u);
}

TEST_F(Scheduling, ATransformIsInUseUntilItsJobsAreOver) {
    submit();
    EXPECT_EQ(scheduler_.user_of_transform("to-wav"), "job-1");
    EXPECT_EQ(scheduler_.user_of_transform("other"), std::nullopt);
    ASSERT_TRUE(command("job-1", [](Job& live) { return cancel(live, kNow); }));
    EXPECT_EQ(scheduler_.user_of_transform("to-wav"), std::nullopt);
}

TEST_F(Scheduling, ABucketIsInUseUntilItsJobsAreOver) {
    submit();
    EXPECT_EQ(scheduler_.user_of_bucket("in"), "job-1");
    EXPECT_EQ(scheduler_.user_of_bucket("out"), "job-1");
    EXPECT_EQ(scheduler_.user_of_bucket("other"), std::nullopt);
    ASSERT_TRUE(command("job-1", [](Job& live) { return cancel(live, kNow); }));
    EXPECT_EQ(scheduler_.user_of_bucket("in"), std::nullopt);
}

TEST_F(Scheduling, WatchersSeeEveryChange) {
    submit();
    std::uint64_t changes = scheduler_.find("job-1")->changes;
    report("t1", SliceState::preparing, {.done = 1});
    EXPECT_GT(scheduler_.find("job-1")->changes, std::exchange(changes, scheduler_.find("job-1")->changes));
    report("t1", SliceState::preparing, {.done = 2});
    EXPECT_GT(scheduler_.find("job-1")->changes, changes);
}

TEST_F(Scheduling, AnAcceptedTargetIsToldANewEpochAndGetsTheSpecificationIfItAsks) {
    submit();
    for (const char* target : {"t1", "t2"}) acknowledge(target);
    for (const char* target : {"t1", "t2"}) report(target, SliceState::ready);
    for (const char* target : {"t1", "t2"}) report(target, SliceState::running);
    const std::uint64_t epoch = job().epoch;
    (void)directives();
    scheduler_.target_accepted("t1", "why", now_);
    const auto told = directives();
    EXPECT_GT(told.at("t1").epoch, epoch);
    EXPECT_GT(told.at("t2").epoch, epoch) << "one epoch for all slices of a job";
    EXPECT_FALSE(told.at("t1").has_spec);
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", told.at("t1").revision, true}, now_, kNow);
    EXPECT_TRUE(directives().at("t1").has_spec);
    EXPECT_EQ(job().state, JobState::running);
}

TEST_F(Scheduling, ATargetThatKnewAJobAndAsksForItHasRemovedIt) {
    submit();
    for (const char* target : {"t1", "t2"}) acknowledge(target);
    for (const char* target : {"t1", "t2"}) report(target, SliceState::ready);
    (void)directives();
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", job().revision, true}, now_, kNow);
    EXPECT_EQ(job().state, JobState::running) << "it may be late: it is asked";
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", directives().at("t1").revision, true}, now_, kNow);
    EXPECT_EQ(job().state, JobState::failed) << "it is not run once more from the beginning";
}

TEST_F(Scheduling, AskingForAJobTwiceIsNotHavingLostIt) {
    submit();
    for (const char* target : {"t1", "t2"}) acknowledge(target);
    report("t1", SliceState::preparing);
    const std::uint64_t first = job().revision;
    for (int doubled = 0; doubled < 3; ++doubled) scheduler_.receive("t1", wire::DirectiveAck{"job-1", first, true}, now_, kNow);
    EXPECT_EQ(job().state, JobState::preparing);
    for (const char* target : {"t1", "t2"}) acknowledge(target);
    scheduler_.target_joined("t1", now_, kNow);  // it is told again
    for (int doubled = 0; doubled < 3; ++doubled) scheduler_.receive("t1", wire::DirectiveAck{"job-1", first, true}, now_, kNow);
    EXPECT_EQ(job().state, JobState::preparing);
}

TEST_F(Scheduling, AskingForAJobThatHasBeenCarriedOutSinceIsLate) {
    submit();
    const std::uint64_t first = job().revision;
    for (const char* target : {"t1", "t2"}) acknowledge(target);
    for (const char* target : {"t1", "t2"}) report(target, SliceState::ready);
    report("t1", SliceState::running);
    ASSERT_GT(job().revision, first);
    scheduler_.receive("t1", wire::DirectiveAck{"job-1", first, true}, now_, kNow);
    EXPECT_EQ(job().state, JobState::running);
}

TEST_F(Scheduling, EndedJobsGoAfterTheTimeThatTheProxyRanNotTheWallClock) {
    submit();
    ASSERT_TRUE(command("job-1", [](Job& job) { return cancel(job, kNow + 1'000'000'000'000'000'000); }));
    const milliseconds retention = std::chrono::hours(24);
    scheduler_.expire(now_ + std::chrono::hours(23), retention, 100);
    EXPECT_NE(scheduler_.find("job-1"), nullptr);
    scheduler_.expire(now_ + std::chrono::hours(1000), milliseconds(0), 100);
    EXPECT_NE(scheduler_.find("job-1"), nullptr) << "no retention: kept";
    scheduler_.expire(now_ + std::chrono::hours(25), retention, 100);
    EXPECT_EQ(scheduler_.find("job-1"), nullptr);
}

TEST_F(Scheduling, TheOldestOfTooManyEndedJobsGoFirst) {
    for (int i = 1; i <= 3; ++i) {
        Job job = make_job();
        job.id = "job-" + std::to_string(i);
        job.slices = {{"t1", {}}};
        scheduler_.submit(std::move(job), {}, now_);
        now_ += std::chrono::minutes(1);
        if (i < 3) ASSERT_TRUE(command("job-" + std::to_string(i), [](Job& live) { return cancel(live, kNow); }));
    }
    scheduler_.expire(now_, std::chrono::hours(24), 1);
    EXPECT_EQ(scheduler_.find("job-1"), nullptr);
    EXPECT_NE(scheduler_.find("job-2"), nullptr);
    EXPECT_NE(scheduler_.find("job-3"), nullptr) << "it has not ended";
}

}  // namespace
}  // namespace millrace::scheduler
