// A job that starts again, while the buckets and transforms that it was submitted with are there, and when others have their names.
#include "scheduler/pins.h"

#include <gtest/gtest.h>

#include "tests/unit/scheduler/fixture.h"

namespace millrace::scheduler {
namespace {

class Pins : public testing::Test {
protected:
    void SetUp() override {
        for (const char* bucket : {"in", "out"}) ASSERT_TRUE(catalog_.create_bucket(bucket, 0, kNow));
        add_transform("to-wav", "cat");
        add_transform("squeeze", "gzip");
    }
    void add_transform(const std::string& name, const std::string& cmd, const std::string& more = "") {
        ASSERT_TRUE(catalog_.add_transform(name, R"({"name": ")" + name + R"(", "cmd": ")" + cmd + "\"" + more + "}"));
    }
    void replace_transform(const std::string& name, const std::string& cmd, const std::string& more = "") {
        ASSERT_TRUE(catalog_.remove_transform(name));
        add_transform(name, cmd, more);
    }
    Job cancelled(const wire::JobSpec& spec) {
        Job job{.id = "job-1", .spec = spec};
        auto pins = pins_of(spec, catalog_);
        EXPECT_TRUE(pins) << pins.error().context;
        if (pins) job.pins = {{1, std::move(*pins)}};
        job.slices["t1"] = {};
        hear(job, "t1", wire::SliceState::ready);
        (void)advance(job, everyone, kNow);
        hear(job, "t1", wire::SliceState::running, {.done = 7});
        EXPECT_TRUE(cancel(job, kNow));
        return job;
    }
    static wire::JobSpec transform() { return {.transform = "to-wav", .pipeline = {"squeeze"}, .source = "in", .destination = "out"}; }
    static wire::JobSpec copy() { return {.source = "in", .destination = "out", .operation = wire::Operation::copy}; }
    static wire::JobSpec removal() { return {.source = "in", .operation = wire::Operation::remove}; }

    Result<void> again(Job& job, bool with_current = false, Again how = Again::resume) { return start_again(job, how, with_current, catalog_, kNow); }
    // The job is refused, unchanged, and the sentence has all of this.
    void expect_refused(Job& job, std::initializer_list<std::string> said, bool with_current = false, Again how = Again::resume) {
        const std::uint64_t revision = job.revision;
        const Result<void> refused = again(job, with_current, how);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::conflict);
        for (const std::string& text : said) EXPECT_NE(refused.error().context.find(text), std::string::npos) << text << ": " << refused.error().context;
        EXPECT_EQ(job.revision, revision);
        EXPECT_EQ(job.epoch, 1u);
        EXPECT_EQ(job.state, JobState::cancelled);
    }
    DesiredCatalog catalog_{wire::Catalog{}};
};

TEST_F(Pins, AJobGoesOnWithWhatItWasSubmittedWith) {
    for (const wire::JobSpec& spec : {transform(), copy(), removal()}) {
        Job job = cancelled(spec);
        EXPECT_EQ(job.pins.front().pins.transforms.size(), spec.transforms().size());
        EXPECT_TRUE(again(job));
        EXPECT_EQ(job.epoch, 2u);
        EXPECT_EQ(job.pins.size(), 1u);
    }
}

TEST_F(Pins, ADestinationThatWasDestroyedIsNamedAndTheJobMayGoOnInItsSuccessor) {
    for (const wire::JobSpec& spec : {transform(), copy()}) {
        Job job = cancelled(spec);
        const wire::Pins before = job.pins.front().pins;
        ASSERT_TRUE(catalog_.destroy_bucket("out"));
        expect_refused(job, {"ais://out", "was destroyed", "7 objects that are done", "millrace bucket create ais://out"});
        expect_refused(job, {"ais://out", "create"}, true);
        ASSERT_TRUE(catalog_.create_bucket("out", 0, kNow));
        expect_refused(job, {"ais://out", "was destroyed", "another bucket has its name", "millrace job resume job-1 --with-current"});
        expect_refused(job, {"millrace job retry job-1 --with-current"}, false, Again::retry);
        ASSERT_TRUE(again(job, true));
        ASSERT_EQ(job.pins.size(), 2u);
        EXPECT_EQ(job.pins.front().pins, before);
        EXPECT_EQ(job.pins.back().epoch, job.epoch);
        EXPECT_EQ(job.pins.back().pins.destination_uid, catalog_.bucket("out")->uid);
        ASSERT_TRUE(cancel(job, kNow));
        EXPECT_TRUE(again(job)) << "it is about the bucket of now";
    }
}

TEST_F(Pins, ABucketThatWasRenamedIsNamed) {
    Job job = cancelled(transform());
    ASSERT_TRUE(catalog_.rename_bucket("out", "other"));
    expect_refused(job, {"ais://out", "is named ais://other now"});
    ASSERT_TRUE(catalog_.create_bucket("out", 0, kNow));
    expect_refused(job, {"is named ais://other now", "another bucket has its name"});
    ASSERT_TRUE(catalog_.destroy_bucket("out"));
    ASSERT_TRUE(catalog_.rename_bucket("other", "out"));
    EXPECT_TRUE(again(job)) << "it has its name back";
}

TEST_F(Pins, AnotherSourceIsNeverTaken) {
    for (const wire::JobSpec& spec : {transform(), copy(), removal()}) {
        Job job = cancelled(spec);
        ASSERT_TRUE(catalog_.destroy_bucket("in"));
        expect_refused(job, {"ais://in", "submit a new job"});
        ASSERT_TRUE(catalog_.create_bucket("in", 0, kNow));
        expect_refused(job, {"ais://in", "was destroyed", "submit a new job"});
        expect_refused(job, {"ais://in", "submit a new job"}, true);
    }
    Job job = cancelled(removal());
    ASSERT_TRUE(catalog_.rename_bucket("in", "elsewhere"));
    expect_refused(job, {"ais://elsewhere", "its name back"}, true);
}

TEST_F(Pins, AnotherTransformOfTheNameIsNamedAlsoWithinAChain) {
    for (const std::string name : {"to-wav", "squeeze"}) {
        Job job = cancelled(transform());
        replace_transform(name, "tr a b");
        expect_refused(job, {"'" + name + "'", "digest", "millrace job resume job-1 --with-current"});
        ASSERT_TRUE(again(job, true));
        EXPECT_EQ(job.pins.size(), 2u);
    }
    Job job = cancelled(transform());
    ASSERT_TRUE(catalog_.remove_transform("squeeze"));
    expect_refused(job, {"'squeeze' is not registered"});
    expect_refused(job, {"squeeze"}, true);
}

TEST_F(Pins, ATransformThatComputesTheSameIsTheSame) {
    Job job = cancelled(transform());
    replace_transform("to-wav", "cat", R"(, "obj_timeout": "99s")");
    EXPECT_TRUE(again(job));
}

TEST_F(Pins, AJobFromBeforeThereWerePinsGoesOnWithWhateverHasTheNames) {
    Job job = cancelled(transform());
    job.pins.clear();
    ASSERT_TRUE(catalog_.destroy_bucket("out"));
    ASSERT_TRUE(again(job));
    ASSERT_TRUE(cancel(job, kNow));
    ASSERT_TRUE(catalog_.create_bucket("out", 0, kNow));
    ASSERT_TRUE(again(job, true));
    EXPECT_EQ(job.pins.size(), 1u);
}

TEST_F(Pins, ADryRunPinsNoDestination) {
    wire::JobSpec spec = transform();
    spec.destination = "nowhere";
    spec.dry_run = wire::DryRun::run;
    Job job = cancelled(spec);
    ASSERT_TRUE(catalog_.create_bucket("nowhere", 0, kNow));
    EXPECT_TRUE(again(job));
}

TEST_F(Pins, AStateThatDoesNotAllowItIsSaidFirst) {
    Job job = cancelled(transform());
    ASSERT_TRUE(again(job));
    ASSERT_TRUE(catalog_.destroy_bucket("out"));
    const Result<void> refused = again(job);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().context.find("is running"), std::string::npos) << refused.error().context;
}

}  // namespace
}  // namespace millrace::scheduler
