#include "worker/spooling_sink.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/loop.h"

namespace millrace::worker {
namespace {

// Takes nothing until it is let go, and fails after so many bytes.
class GatedSink final : public Sink {
public:
    explicit GatedSink(Executor executor) : gate_(executor) {}
    void open() { gate_.set(); }
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        while (!gate_.is_set()) (void)co_await gate_.wait_until(steady_now() + std::chrono::seconds(30));
        taken.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (taken.size() >= fails_after) co_return fail(Code::incomplete_body, "the client has gone");
        co_return Result<void>{};
    }
    std::string taken;
    std::size_t fails_after = std::string::npos;

private:
    Event gate_;
};

class SpoolingSinkTest : public testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() / ("spooling-" + std::to_string(::getpid()));
        auto spool = SpoolFolder::open(folder_);
        ASSERT_TRUE(spool);
        spool_ = std::make_unique<SpoolFolder>(std::move(*spool));
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    template <class Work>
    void run(Work work) {
        run_blocking(loop_, work());
    }
    static std::string content(std::size_t bytes) {
        std::string text(bytes, '\0');
        for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + (i >> 8) * 7);
        return text;
    }

    Loop loop_{"loop"};
    std::filesystem::path folder_;
    std::unique_ptr<SpoolFolder> spool_;
    GatedSink slow_{loop_.executor()};
};

TEST_F(SpoolingSinkTest, TheWriterGoesOnAndTheReaderGetsEverythingInOrder) {
    const std::string text = content(5'000'003);
    run([&]() -> Task<void> {
        SpoolingSink sink(loop_.executor(), *spool_, slow_);
        for (std::size_t at = 0; at < text.size(); at += 700'000) {
            const std::string piece = text.substr(at, 700'000);
            EXPECT_TRUE(co_await sink.write(as_bytes(piece)));
        }
        EXPECT_EQ(slow_.taken, "") << "nothing was taken, and yet all is written";
        slow_.open();
        EXPECT_TRUE(co_await sink.finish());
    });
    EXPECT_EQ(slow_.taken, text);
}

TEST_F(SpoolingSinkTest, WhatATakerKeepsUpWithGoesStraight) {
    const std::string text = content(3'000'000);
    slow_.open();
    run([&]() -> Task<void> {
        SpoolingSink sink(loop_.executor(), *spool_, slow_);
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(co_await sink.write(as_bytes(text)));
        EXPECT_TRUE(co_await sink.finish());
    });
    EXPECT_EQ(slow_.taken, text + text + text);
}

TEST_F(SpoolingSinkTest, AnErrorOfTheTakerEndsTheWriter) {
    const std::string text = content(3'000'000);
    slow_.fails_after = 1'000'000;
    slow_.open();
    run([&]() -> Task<void> {
        SpoolingSink sink(loop_.executor(), *spool_, slow_);
        Result<void> written;
        for (int i = 0; written && i < 100; ++i) written = co_await sink.write(as_bytes(text));
        EXPECT_FALSE(written);
        EXPECT_EQ(written.error().code, Code::incomplete_body);
        EXPECT_FALSE(co_await sink.finish());
    });
}

TEST_F(SpoolingSinkTest, WhatIsAbandonedIsNotPassedOn) {
    run([&]() -> Task<void> {
        SpoolingSink sink(loop_.executor(), *spool_, slow_);
        const std::string text = content(1'000'000);
        EXPECT_TRUE(co_await sink.write(as_bytes(text)));
        slow_.open();
        co_await sink.abandon();
    });
    EXPECT_LE(slow_.taken.size(), kBodyChunkBytes);
}

TEST_F(SpoolingSinkTest, WithoutAFolderTheWriterWaits) {
    std::filesystem::remove_all(folder_);
    const std::string text = content(1'000'000);
    run([&]() -> Task<void> {
        SpoolingSink sink(loop_.executor(), *spool_, slow_);
        TaskGroup later(loop_.executor());
        const auto open = [](GatedSink& slow) -> Task<void> {
            co_await next_turn();
            slow.open();
        };
        later.spawn(open(slow_));
        EXPECT_TRUE(co_await sink.write(as_bytes(text)));
        EXPECT_TRUE(co_await sink.finish());
        co_await later.join();
    });
    EXPECT_EQ(slow_.taken, text);
}

}  // namespace
}  // namespace millrace::worker
