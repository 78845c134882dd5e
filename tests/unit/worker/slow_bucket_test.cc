// A slice whose buckets are somewhere else, in simulated time: they take their time to list and to open, and fail now and then.
#include <gmock/gmock.h>

#include <deque>

#include "core/hash.h"
#include "tests/unit/state/temp_folder.h"
#include "tests/unit/worker/runner_fixture.h"

namespace millrace::worker {
namespace {

using std::chrono::hours;
using testing::HasSubstr;

class MemoryReader final : public store::ObjectReader {
public:
    MemoryReader(store::ObjectInfo info, std::string text) : info_(std::move(info)), text_(std::move(text)) {}
    const store::ObjectInfo& info() const override { return info_; }
    std::optional<std::uint64_t> size() const override { return text_.size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override { co_return co_await source_.read(buffer); }
    Task<Result<void>> verify() override { co_return Result<void>{}; }
    std::string file_path() const override { return ""; }

private:
    const store::ObjectInfo info_;
    const std::string text_;
    MemorySource source_{text_};
};

class SlowBucket final : public BucketReader, public BucketWriter {
public:
    Task<Result<store::ScanPage>> list(const std::string& prefix, const std::string& after, std::size_t objects_max) override {
        ++lists;
        MILLRACE_CO_TRY(co_await pass(list_takes, list_failures));
        store::ScanPage page{.objects = {}, .at_end = true};
        for (auto next = contents.upper_bound(after); next != contents.end(); ++next) {
            if (!next->first.starts_with(prefix)) continue;
            page.at_end = page.objects.size() < std::min(objects_max, page_max);
            if (!page.at_end) break;
            page.objects.push_back({next->first, info_of(next->second)});
        }
        co_return page;
    }
    Task<Result<store::ObjectInfo>> stat(const std::string& name) override {
        const auto found = contents.find(name);
        if (found == contents.end()) co_return fail(Code::not_found, "there is no such object");
        co_return info_of(found->second);
    }
    Task<Result<std::unique_ptr<store::ObjectReader>>> open(const std::string& name) override {
        ++opens[name];
        MILLRACE_CO_TRY(co_await pass(open_takes, open_failures));
        co_return std::make_unique<MemoryReader>(info_of(contents.at(name)), contents.at(name));
    }
    Task<Result<std::unique_ptr<store::ObjectWriter>>> begin(const std::string& name, store::WriteOptions) override {
        MILLRACE_CO_TRY(co_await pass(open_takes, open_failures));
        co_return std::make_unique<Writer>(*this, name);
    }
    Task<Result<store::ObjectInfo>> erase(const std::string& name, std::uint64_t, const store::ChangeGuard*) override {
        MILLRACE_CO_TRY(co_await pass(open_takes, open_failures));
        MILLRACE_CO_TRY_ASSIGN(store::ObjectInfo info, co_await stat(name));
        contents.erase(name);
        co_return info;
    }
    Result<void> check() const override { return {}; }
    std::uint64_t created_seq_end() const override { return 1; }

    std::map<std::string, std::string> contents;
    Duration list_takes = milliseconds(300);
    Duration open_takes = milliseconds(100);
    std::size_t page_max = 3;
    std::deque<Error> list_failures;  // of the next calls
    std::deque<Error> open_failures;
    int lists = 0;
    std::map<std::string, int> opens;

private:
    class Writer final : public store::ObjectWriter {
    public:
        Writer(SlowBucket& bucket, std::string name) : bucket_(bucket), name_(std::move(name)) {}
        Task<Result<void>> write(std::span<const std::byte> bytes) override {
            text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            co_return Result<void>{};
        }
        Task<Result<store::ObjectInfo>> commit() override {
            bucket_.contents[name_] = text_;
            co_return info_of(text_);
        }

    private:
        SlowBucket& bucket_;
        const std::string name_;
        std::string text_;
    };

    static store::ObjectInfo info_of(const std::string& text) { return {.size = text.size(), .checksum = xxh64(text)}; }
    static Task<Result<void>> pass(Duration takes, std::deque<Error>& failures) {
        const Instant end = steady_now() + takes;
        while (steady_now() < end) {
            if (co_await is_cancelled()) co_return fail(Code::cancelled, "the request was given up");
            co_await sleep_for(std::min<Duration>(milliseconds(50), end - steady_now()));
        }
        if (failures.empty()) co_return Result<void>{};
        const Error failure = failures.front();
        failures.pop_front();
        co_return failure;
    }
};

class SlowBuckets : public RunnerFixture, public Buckets {
protected:
    SlowBuckets() {
        auto opened = SpoolFolder::open(folder_ / "spool");
        if (opened) spool_.emplace(std::move(*opened));
        for (std::size_t i = 0; i < kObjects; ++i) source_->contents["object-" + std::to_string(i)] = "content " + std::to_string(i);
        cluster_.update({.version = 1, .targets = {{"t1", "http://127.0.0.1:1", true}}});
        buckets_ = this;
        config_.window_objects_max = 4;
        order_.created_seq_end = source_->created_seq_end();
    }
    void TearDown() override {
        RunnerFixture::TearDown();
        const auto end = [](TransformTable& transforms) -> Task<void> { co_await transforms.stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), end(transforms_), boost::asio::detached); });
        run_for(seconds(1));
    }
    std::shared_ptr<BucketReader> reader(const std::string&, const std::string&) override { return source_; }
    std::shared_ptr<BucketWriter> writer(const std::string& bucket, const std::string&) override { return bucket == "source" ? source_ : sink_; }

    // With attempts as they are shipped.
    void start_copy() {
        spec_.operation = wire::Operation::copy;
        spec_.transform.clear();
        execution_.emplace(*spool_, transforms_);
        runs_objects_ = &*execution_;
        start();
    }
    void expect_all_copied() {
        EXPECT_EQ(status_.state, SliceState::finished) << status_.reason;
        EXPECT_EQ(status_.counters.done, kObjects);
        EXPECT_EQ(status_.counters.failed + status_.counters.quarantined + status_.counters.skipped, 0u);
        EXPECT_EQ(status_.total_objects, kObjects);
        EXPECT_EQ(sink_->contents, source_->contents);
    }

    TempFolder folder_;
    std::optional<SpoolFolder> spool_;
    TransformTable transforms_{{world_.executor(), {world_.executor()}, folder_ / "run"}, [] {}};
    std::optional<ObjectExecution> execution_;
    std::shared_ptr<SlowBucket> source_ = std::make_shared<SlowBucket>();
    std::shared_ptr<SlowBucket> sink_ = std::make_shared<SlowBucket>();
};

TEST_F(SlowBuckets, AreCountedFedReadAndWritten) {
    start_copy();
    run_for(seconds(30));
    expect_all_copied();
    for (const auto& [name, times] : source_->opens) EXPECT_EQ(times, 1) << name;
}

TEST_F(SlowBuckets, WhatFailsInBetweenIsAskedForAgain) {
    const Error away = fail(Code::unavailable, "the bucket does not answer");
    source_->list_failures = {away, away, away, away, away};
    source_->open_failures = {away, away};
    sink_->open_failures = {away, away};
    start_copy();
    run_for(seconds(120));
    expect_all_copied();
}

TEST_F(SlowBuckets, OneThatDoesNotAnswerIsNotAskedAllTheTime) {
    source_->list_takes = {};
    source_->list_failures.assign(100'000, fail(Code::unavailable, "the bucket does not answer"));
    start_copy();
    run_for(seconds(10));
    EXPECT_GT(source_->lists, 5);
    EXPECT_LT(source_->lists, 100);
    EXPECT_NE(status_.state, SliceState::failed);
    source_->list_failures.clear();
    run_for(seconds(120));
    expect_all_copied();
}

TEST_F(SlowBuckets, OneThatCannotBeReadFailsTheSliceAndSaysWhy) {
    source_->list_failures = {fail(Code::permission, "the bucket may not be listed")};
    start_copy();
    run_for(seconds(10));
    EXPECT_EQ(status_.state, SliceState::failed);
    EXPECT_THAT(status_.reason, HasSubstr("may not be listed"));
}

TEST_F(SlowBuckets, AListThatHangsDoesNotHoldUpTheStop) {
    source_->list_takes = hours(5);
    start_copy();
    run_for(seconds(1));
    EXPECT_EQ(source_->lists, 1);
    stop(seconds(1));
}

TEST_F(SlowBuckets, AFeedThatHangsDoesNotHoldUpTheStop) {
    config_.window_objects_max = 1;
    start_copy();
    run_for(seconds(4));
    source_->list_takes = hours(5);
    run_for(seconds(10));
    EXPECT_LT(status_.counters.done, kObjects);
    stop(seconds(1));
}

TEST_F(SlowBuckets, AnOpenThatHangsDoesNotHoldUpTheStop) {
    source_->open_takes = hours(5);
    start_copy();
    run_for(seconds(10));
    EXPECT_FALSE(source_->opens.empty());
    stop(seconds(1));
    EXPECT_TRUE(sink_->contents.empty());
}

TEST_F(SlowBuckets, APauseDoesNotWaitForAnOpen) {
    source_->open_takes = hours(5);
    start_copy();
    run_for(seconds(10));
    EXPECT_EQ(status_.state, SliceState::running);
    order(Desired::pause);
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::paused);
    source_->open_takes = milliseconds(10);
    order(Desired::run);
    run_for(seconds(60));
    expect_all_copied();
}

TEST_F(SlowBuckets, APauseDoesNotWaitForAListAndItsAnswerIsOfUseLater) {
    source_->list_takes = seconds(5);
    start_copy();
    run_for(seconds(8));  // the first page is counted; the second count and the first feed are under way
    order(Desired::pause);
    run_for(seconds(1));
    EXPECT_EQ(status_.state, SliceState::paused);
    run_for(seconds(20));
    EXPECT_EQ(status_.state, SliceState::paused);
    EXPECT_TRUE(sink_->contents.empty()) << "what is fed while it is paused does not start";
    source_->list_takes = milliseconds(10);
    order(Desired::run);
    run_for(seconds(60));
    expect_all_copied();
    for (const auto& [name, times] : source_->opens) EXPECT_EQ(times, 1) << name;
}

TEST_F(SlowBuckets, WhatWasListedBeforeARewindIsNotTakenForWhatComesAfterIt) {
    objects_.result.moved_to = TargetId("t2");
    objects_.result.boot_id = "b-1";
    boot_id_of_sink_ = "b-2";  // it started anew, and has lost what it had
    source_->list_takes = milliseconds(1500);
    start();
    run_for(seconds(120));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(objects_.runs.size(), kObjects);
    EXPECT_EQ(most_runs(), 2);
}

TEST_F(SlowBuckets, AreEmptiedByAJobThatDeletes) {
    spec_.destination.clear();
    spec_.operation = wire::Operation::remove;
    spec_.transform.clear();
    order_.pins.destination_uid.clear();
    execution_.emplace(*spool_, transforms_);
    runs_objects_ = &*execution_;
    start();
    run_for(seconds(60));
    EXPECT_EQ(status_.state, SliceState::finished) << status_.reason;
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_TRUE(source_->contents.empty());
}

}  // namespace
}  // namespace millrace::worker
