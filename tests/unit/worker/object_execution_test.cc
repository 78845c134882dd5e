// Copies and removals as a slice runs them, against a real store; the targets are this one and one that does not answer.
#include "worker/object_execution.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/store/store_fixture.h"
#include "worker/job_headers.h"

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
    }
    void TearDown() override {
        run_blocking(lane_.loop, transforms_.stop());
        StoreFixture::TearDown();
    }

    Outcome run(wire::JobSpec spec, const std::string& name) {
        EXPECT_TRUE(spec.validate());
        const SliceContext slice{JobId("job-1"), spec, spec.transforms(), RenameRule{spec.ext, spec.prepend}, 2, 33,
                                 created_seq_end_.value_or(store_->next_created_seq()), *store_, *spool_, transforms_, cluster_};
        return run_blocking(lane_.loop, execute(slice, lane_, name, false));
    }
    static wire::JobSpec copy() { return {.source = "photos", .destination = "copies", .operation = wire::Operation::copy}; }
    static wire::JobSpec removal() { return {.source = "photos", .operation = wire::Operation::remove}; }
    Result<store::ObjectInfo> stat(const std::string& bucket, const std::string& name) { return store_->stat(bucket, name); }

    Lane lane_{0};
    std::unique_ptr<SpoolFolder> spool_;
    TransformTable transforms_{{lane_.loop.executor(), {lane_.loop.executor()}, folder_ / "run"}, [] {}};
    ClusterView cluster_{TargetId("t1")};
    std::optional<std::uint64_t> created_seq_end_;
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
    EXPECT_EQ(failed.error().error.code, Code::checksum_mismatch);
    EXPECT_FALSE(stat("copies", "x"));
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
    while (*cluster_.owner(spec.prepend + "x") == cluster_.self()) spec.prepend += "-";
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
    http::Headers headers;
    add_job_headers(headers, put);
    EXPECT_EQ(headers.find("Ais-Checksum-Value"), "00000000000000ff");
    const auto read = read_job_headers(headers);
    ASSERT_TRUE(read && *read) << read.error().context;
    EXPECT_EQ((*read)->custom, put.custom);
    EXPECT_EQ((*read)->provenance.source_name, "a b");
    headers.set("Millrace-Custom", "k=%zz");
    EXPECT_FALSE(read_job_headers(headers));
}

}  // namespace
}  // namespace millrace::worker
