// Copies and removals as a slice runs them, against a real store; the targets are this one and one that does not answer.
#include "worker/object_execution.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/store/store_fixture.h"
#include "worker/job_headers.h"
#include "worker/local_buckets.h"
#include "worker/lookback.h"

namespace millrace::worker {
namespace {

using Outcome = std::expected<ExecutionResult, Failure>;

class Execution : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        ASSERT_TRUE(store_->create_bucket("copies", store::kSmallMax));
        auto spool = SpoolFolder::open(folder_ / "spool");
        ASSERT_TRUE(spool);
        spool_ = std::make_unique<SpoolFolder>(std::move(*spool));
        cluster_.update({.version = 1, .targets = {{"t1", "http://127.0.0.1:1", true}}});
        buckets_ = std::make_unique<LocalBuckets>(*store_);
    }
    void TearDown() override {
        run_blocking(lane_.loop, transforms_.stop());
        StoreFixture::TearDown();
    }

    SliceContext slice_of(const wire::JobSpec& spec) {
        EXPECT_TRUE(spec.validate());
        SliceContext slice{JobId("job-1"), spec, spec.transforms(), spec.rename(), 2, 33,
                           created_seq_end_.value_or(store_->next_created_seq()), buckets_->reader(spec.source, pins_.source_uid),
                           spec.operation == wire::Operation::remove ? buckets_->writer(spec.source, pins_.source_uid)
                                                                     : buckets_->writer(spec.destination, pins_.destination_uid),
                           cluster_};
        slice.pins = pins_;
        return slice;
    }
    Outcome run(const wire::JobSpec& spec, const std::string& name) {
        const SliceContext slice = slice_of(spec);
        return run_blocking(lane_.loop, ObjectExecution(*spool_, transforms_).run(slice, lane_, name, false));
    }
    std::uint64_t lost(const wire::JobSpec& spec, const std::string& settled_to, const state::LedgerChanges& ledger = {}) {
        state::SliceStore slices(*kv_);
        EXPECT_TRUE(slices.put_checkpoint(JobId("job-1"), {}, ledger));
        const SliceContext slice = slice_of(spec);
        const auto selection = Selection::make(slice.job, spec, slice.created_seq_end, slice.source, slices);
        const auto count = run_blocking(lane_.loop, count_lost_outputs(slice, *selection, slices, settled_to));
        EXPECT_TRUE(count) << count.error().context;
        return count.value_or(UINT64_MAX);
    }
    static wire::JobSpec copy() { return {.source = "photos", .destination = "copies", .operation = wire::Operation::copy}; }
    static wire::JobSpec removal() { return {.source = "photos", .operation = wire::Operation::remove}; }
    static wire::JobSpec through(const std::string& transform) { return {.transform = transform, .source = "photos", .destination = "copies"}; }
    // Name and command.
    void add_filters(const std::vector<std::pair<std::string, std::string>>& filters) {
        std::vector<wire::TransformEntry> entries;
        for (const auto& [name, command] : filters) entries.push_back({name, R"({"name": ")" + name + R"(", "cmd": ")" + command + R"("})"});
        auto start = [](TransformTable& table, const std::vector<wire::TransformEntry>& wanted) -> Task<void> {
            table.apply(wanted);
            for (const wire::TransformEntry& entry : wanted) {
                while (!table.ready(entry.name)) co_await sleep_for(milliseconds(1));
            }
        };
        run_blocking(lane_.loop, start(transforms_, entries));
    }
    // One byte of the content.
    void damage(const std::string& name, std::size_t bytes) {
        if (bytes > store::kSmallMax) {
            std::fstream(file_of(name), std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(bytes / 2)) << "\x01\x02\x03";
            return;
        }
        const std::string key = store::object_key("photos", name);
        std::string body = *kv_->get(state::target_family::bodies, key).value_or(std::nullopt);
        body.back() = static_cast<char>(body.back() ^ 1);
        state::Batch batch;
        batch.put(state::target_family::bodies, key, body);
        ASSERT_TRUE(kv_->write(std::move(batch), false));
    }
    Result<store::ObjectInfo> stat(const std::string& bucket, const std::string& name) { return store_->stat(bucket, name); }

    Lane lane_{0};
    std::unique_ptr<SpoolFolder> spool_;
    std::unique_ptr<LocalBuckets> buckets_;
    TransformTable transforms_{{lane_.loop.executor(), {lane_.loop.executor()}, folder_ / "run"}, [] {}};
    ClusterView cluster_{TargetId("t1")};
    std::optional<std::uint64_t> created_seq_end_;
    state::SlicePins pins_;
};

TEST_F(Execution, ACopyKeepsContentChecksumAndMetadataAndHasProvenance) {
    store::WriteOptions options;
    options.custom = {{"colour", "green & blue"}};
    for (const std::size_t bytes : {0ul, 10ul, 900'000ul}) {
        ASSERT_TRUE(put("x.jpg", store::content(bytes), options));
        auto spec = copy();
        spec.ext = {{"jpg", "jpeg"}};
        const Outcome done = run(spec, "x.jpg");
        ASSERT_TRUE(done) << done.error().error.context;
        EXPECT_EQ(done->bytes_in, bytes);
        EXPECT_EQ(done->bytes_out, bytes);
        EXPECT_TRUE(done->moved_to.empty());
        const auto made = stat("copies", "x.jpeg");
        ASSERT_TRUE(made) << made.error().context;
        EXPECT_EQ(made->checksum, stat("photos", "x.jpg")->checksum);
        EXPECT_EQ(made->custom, options.custom);
        ASSERT_TRUE(made->provenance);
        EXPECT_EQ(made->provenance->job, "job-1");
        EXPECT_EQ(made->provenance->source_name, "x.jpg");
        EXPECT_EQ(made->provenance->transform_digest, 0u);
        EXPECT_TRUE(run_blocking(loop_, store_->verify("copies", "x.jpeg")));
    }
}

TEST_F(Execution, ACopyOfADamagedObjectIsTheSourcesFaultAndIsNotPublished) {
    ASSERT_TRUE(put("x", store::content(5000)));
    {
        std::fstream file(file_of("x"), std::ios::in | std::ios::out | std::ios::binary);
        file << "damaged";
    }
    const Outcome failed = run(copy(), "x");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().blame, Blame::source);
    EXPECT_EQ(failed.error().error.code, Code::corrupt);
    EXPECT_FALSE(stat("copies", "x"));
}

// Read whole, and in part.
TEST_F(Execution, ATransformOfADamagedObjectIsTheSourcesFaultAndIsNotPublished) {
    add_filters({{"reads-all", "cat"}, {"reads-start", "head -c 10"}});
    for (const std::size_t bytes : {100ul, 5000ul, 900'000ul}) {
        for (const std::string transform : {"reads-all", "reads-start"}) {
            ASSERT_TRUE(put("x", store::content(bytes)));
            const Outcome done = run(through(transform), "x");
            ASSERT_TRUE(done) << transform << ": " << done.error().error.context;
            ASSERT_TRUE(store_->erase("copies", "x"));
            damage("x", bytes);
            const Outcome failed = run(through(transform), "x");
            ASSERT_FALSE(failed) << transform << " of " << bytes;
            EXPECT_EQ(failed.error().blame, Blame::source) << transform << " of " << bytes;
            EXPECT_EQ(failed.error().error.code, Code::corrupt) << failed.error().error.context;
            EXPECT_EQ(judge(failed.error(), {}), Verdict::fail);
            EXPECT_FALSE(stat("copies", "x"));
        }
    }
}

TEST_F(Execution, WhatIsThereIsLeftByThePolicy) {
    ASSERT_TRUE(put("x", store::content(10)));
    ASSERT_TRUE(run(copy(), "x"));
    auto spec = copy();
    spec.overwrite = wire::Overwrite::never;
    EXPECT_FALSE(run(spec, "x")->skipped) << "an output of this very job may be being made again";
    EXPECT_EQ(run(copy(), "absent").error().error.code, Code::not_found);
    EXPECT_EQ(run(copy(), "absent").error().blame, Blame::source);
}

TEST_F(Execution, ADryCopyReadsAndWritesNothing) {
    ASSERT_TRUE(put("x", store::content(5000)));
    auto spec = copy();
    spec.dry_run = wire::DryRun::run;
    EXPECT_EQ(run(spec, "x")->bytes_out, 5000u);
    EXPECT_FALSE(stat("copies", "x"));
}

TEST_F(Execution, ACopyForATargetThatDoesNotAnswerWaits) {
    ASSERT_TRUE(put("x", store::content(10)));
    cluster_.update({.version = 2, .targets = {{"t1", "", true}, {"t2", "", false}}});
    auto spec = copy();
    spec.prepend = "to-another-";
    while (*cluster_.placement()->owner(spec.prepend + "x") == cluster_.self()) spec.prepend += "-";
    const Outcome failed = run(spec, "x");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().blame, Blame::sink);
    EXPECT_EQ(judge(failed.error(), {}), Verdict::wait);
}

TEST_F(Execution, ANodeWithoutDescriptorsIsNotTheObjectsFault) {
    ASSERT_TRUE(put("x", store::content(900'000)));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{512, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<int> taken;
    for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) taken.push_back(fd);
    const Outcome failed = run(copy(), "x");
    for (const int fd : taken) ::close(fd);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(failed);
    EXPECT_EQ(judge(failed.error(), {.number = 3, .attempts_max = 3}), Verdict::wait) << failed.error().error.context;
    EXPECT_TRUE(run(copy(), "x"));
}

TEST_F(Execution, ARemovedObjectIsDoneAndOneThatIsGoneIsSkipped) {
    ASSERT_TRUE(put("x", store::content(5000)));
    const Outcome done = run(removal(), "x");
    ASSERT_TRUE(done) << done.error().error.context;
    EXPECT_FALSE(done->skipped);
    EXPECT_EQ(done->bytes_in, 5000u);
    EXPECT_EQ(done->bytes_out, 0u);
    EXPECT_FALSE(stat("photos", "x"));
    EXPECT_TRUE(run(removal(), "x")->skipped);
}

TEST_F(Execution, WhatWasStoredAfterTheSubmitIsNotRemoved) {
    ASSERT_TRUE(put("x", store::content(10)));
    created_seq_end_ = store_->next_created_seq();
    ASSERT_TRUE(store_->erase("photos", "x"));
    ASSERT_TRUE(put("x", store::content(20)));
    auto dry = removal();
    dry.dry_run = wire::DryRun::run;
    EXPECT_TRUE(run(dry, "x")->skipped);
    EXPECT_TRUE(run(removal(), "x")->skipped);
    EXPECT_EQ(stat("photos", "x")->size, 20u);
}

TEST_F(Execution, WhatWasStoredAfterTheSubmitIsAsGoodAsGone) {
    ASSERT_TRUE(put("x", store::content(10)));
    ASSERT_TRUE(put("overwritten", store::content(10)));
    created_seq_end_ = store_->next_created_seq();
    ASSERT_TRUE(store_->erase("photos", "x"));
    ASSERT_TRUE(put("x", store::content(20)));
    ASSERT_TRUE(put("overwritten", store::content(20)));
    for (const bool listed : {false, true}) {
        auto spec = copy();
        spec.has_list = listed;
        const Outcome gone = run(spec, "x");
        ASSERT_FALSE(gone);
        EXPECT_EQ(gone.error().blame, Blame::source);
        EXPECT_EQ(gone.error().error.code, Code::not_found);
        EXPECT_EQ(judge(gone.error(), {.listed = listed}), judge(run(spec, "never there").error(), {.listed = listed}));
        EXPECT_FALSE(stat("copies", "x"));
        EXPECT_EQ(run(spec, "overwritten")->bytes_in, 20u) << "it was there";
    }
}

TEST_F(Execution, AnotherBucketOfTheNameIsNeverReadNorWrittenNorEmptied) {
    ASSERT_TRUE(store_->create_bucket("pinned", store::kSmallMax, "bck-1"));
    ASSERT_TRUE(store_->create_bucket("filled", store::kSmallMax, "bck-2"));
    auto writer = store_->begin_write("pinned", "x", {});
    ASSERT_TRUE(writer && write(**writer, store::content(10)) && commit(**writer));
    auto spec = copy();
    spec.source = "pinned";
    spec.destination = "filled";
    auto emptied = removal();
    emptied.source = "pinned";
    const auto expect_to_wait = [&](const wire::JobSpec& tried) {
        const Outcome waits = run(tried, "x");
        ASSERT_FALSE(waits);
        EXPECT_EQ(judge(waits.error(), {.listed = true}), Verdict::wait) << waits.error().error.context;
        EXPECT_FALSE(stat("filled", "x"));
        EXPECT_TRUE(stat("pinned", "x"));
    };
    pins_ = {"bck-0", "bck-2", {}};
    for (const wire::DryRun dry : {wire::DryRun::no, wire::DryRun::run}) {
        spec.dry_run = emptied.dry_run = dry;
        expect_to_wait(spec);
        expect_to_wait(emptied);
    }
    spec.dry_run = wire::DryRun::no;
    for (const wire::Overwrite policy : {wire::Overwrite::always, wire::Overwrite::never, wire::Overwrite::changed}) {
        pins_ = {"bck-1", "bck-0", {}};
        spec.overwrite = policy;
        expect_to_wait(spec);
    }
    spec.source = "not-here-yet";
    expect_to_wait(spec);
    spec.source = "pinned";
    pins_ = {"bck-1", "bck-2", {}};
    EXPECT_TRUE(run(spec, "x"));
}

TEST_F(Execution, AnotherTransformOfTheNameIsNotHere) {
    const std::string spec = R"({"name": "same-name", "cmd": "cat"})";
    transforms_.apply({{"same-name", spec, true}});
    const std::uint64_t digest = transforms_.find("same-name")->digest;
    const std::vector<std::string> chain{"same-name", "same-name"};
    const auto find = [&](std::vector<state::PinnedDigest> pinned) { return TransformChain::find(transforms_, *spool_, chain, pinned); };
    EXPECT_TRUE(find({}));
    EXPECT_TRUE(find({{"same-name", digest}, {"same-name", digest}}));
    const auto other = find({{"same-name", digest}, {"same-name", digest + 1}});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Code::unavailable);
    EXPECT_NE(transforms_.ready("same-name", digest + 1).error().context.find("digest"), std::string::npos);
}

TEST_F(Execution, OutputsThatWentOrWereReplacedAreFoundWhenTheJobStartsAgain) {
    auto spec = copy();
    spec.prepend = "made-";
    for (const char* name : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(put(name, store::content(10)));
    for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(run(spec, name));
    EXPECT_EQ(lost(spec, "d"), 0u);
    ASSERT_TRUE(store_->erase("copies", "made-a"));
    auto replaced = store_->begin_write("copies", "made-b", {});
    ASSERT_TRUE(replaced && write(**replaced, store::content(10)) && commit(**replaced));
    EXPECT_EQ(lost(spec, "d"), 2u);
    EXPECT_EQ(lost(spec, "a"), 1u) << "what is beyond is not settled";
    EXPECT_EQ(lost(spec, ""), 3u) << "everything is settled";
    EXPECT_EQ(lost(spec, "", {{"a", state::LedgerRow{}}, {"e", state::LedgerRow{}}}), 1u) << "what failed has no output";
    spec.overwrite = wire::Overwrite::never;
    EXPECT_EQ(lost(spec, "d", {{"e", std::nullopt}, {"a", std::nullopt}}), 1u) << "somebody else's may have been left";
}

TEST_F(Execution, ADryRemovalCountsAndRemovesNothing) {
    ASSERT_TRUE(put("x", store::content(10)));
    auto dry = removal();
    dry.dry_run = wire::DryRun::run;
    const Outcome done = run(dry, "x");
    EXPECT_FALSE(done->skipped);
    EXPECT_EQ(done->bytes_in, 10u);
    EXPECT_TRUE(stat("photos", "x"));
}

TEST(JobHeaders, MetadataAndChecksumOfACopyTravel) {
    JobPut put{JobId("job-1"), TargetId("t1"), 33, {"job-1", 2, "photos", "a b", 3, 4, 0}};
    put.custom = {{"colour", "green & blue"}, {"ä=", "%\n"}};
    put.checksum = 255;
    put.bucket_uid = "bck-1";
    http::Headers headers;
    add_job_headers(headers, put);
    EXPECT_EQ(headers.find("Ais-Checksum-Value"), "00000000000000ff");
    const auto read = read_job_headers(headers);
    ASSERT_TRUE(read && *read) << read.error().context;
    EXPECT_EQ((*read)->custom, put.custom);
    EXPECT_EQ((*read)->provenance.source_name, "a b");
    EXPECT_EQ((*read)->bucket_uid, "bck-1");
    headers.set("Millrace-Custom", "k=%zz");
    EXPECT_FALSE(read_job_headers(headers));
}

}  // namespace
}  // namespace millrace::worker
