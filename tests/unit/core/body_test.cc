#include "core/body.h"

#include <gtest/gtest.h>

#include <atomic>

#include "core/file_parts.h"
#include "core/loop.h"

namespace millrace {
namespace {

// Gives its bytes in pieces and never as a whole.
class PiecewiseSource final : public Source {
public:
    PiecewiseSource(std::string bytes, std::size_t piece_bytes, bool breaks = false)
        : bytes_(std::move(bytes)), piece_bytes_(piece_bytes), breaks_(breaks) {}
    std::optional<std::uint64_t> size() const override { return std::nullopt; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (breaks_ && offset_ > 0) co_return fail(Code::incomplete_body, "it broke off");
        const std::size_t count = std::min({piece_bytes_, buffer.size(), bytes_.size() - offset_});
        std::ranges::copy(as_bytes(std::string_view(bytes_).substr(offset_, count)), buffer.begin());
        offset_ += count;
        co_return count;
    }

private:
    std::string bytes_;
    std::size_t piece_bytes_;
    bool breaks_;
    std::size_t offset_ = 0;
};

TEST(Body, PumpMovesEverythingFromPieces) {
    Loop loop("test");
    const std::string bytes = std::string(1000, 'a') + std::string(1000, 'b');
    PiecewiseSource source(bytes, 7);
    MemorySink sink(10'000);
    EXPECT_EQ(*run_blocking(loop, pump(source, sink)), 2000u);
    EXPECT_EQ(sink.bytes(), bytes);
}

TEST(Body, PumpLetsOthersRunWhereNeitherEndWaits) {
    constexpr int kReadsMax = 100'000;
    Loop loop("test");
    std::atomic<bool> ran = false;
    class Watching final : public Source {
    public:
        Watching(Loop& l, std::atomic<bool>& r) : loop_(l), ran_(r) {}
        std::optional<std::uint64_t> size() const override { return std::nullopt; }
        // Ends once somebody else ran.
        Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
            if (reads++ == 0) loop_.post([this] { ran_ = true; });
            co_return ran_ || reads == kReadsMax ? 0 : buffer.size();
        }
        int reads = 0;

    private:
        Loop& loop_;
        std::atomic<bool>& ran_;
    } source(loop, ran);
    class Nowhere final : public Sink {
        Task<Result<void>> write(std::span<const std::byte>) override { co_return Result<void>{}; }
    } sink;
    EXPECT_TRUE(run_blocking(loop, pump(source, sink)));
    EXPECT_LT(source.reads, kReadsMax);
}

TEST(Body, PumpMovesWhatLiesInMemoryAtOnce) {
    Loop loop("test");
    MemorySource source("hello");
    MemorySink sink(5);
    EXPECT_EQ(*run_blocking(loop, pump(source, sink)), 5u);
    EXPECT_EQ(sink.bytes(), "hello");
    MemorySource nothing("");
    EXPECT_EQ(*run_blocking(loop, pump(nothing, sink)), 0u);
}

// Bytes that lie in a file, as far as anybody asks for it.
class InFile final : public Source, public PartSource {
public:
    explicit InFile(std::uint64_t size) : size_(size) {}
    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const std::size_t count = take(buffer.size());
        std::ranges::fill(buffer.first(count), std::byte{'f'});
        co_return count;
    }
    bool gives_parts() const override { return gives; }
    Result<FilePart> next_part(std::size_t bytes_max) override {
        if (at_ == breaks_at) return fail(Code::corrupt, "it broke off");
        const std::uint64_t offset = at_;
        return FilePart{7, offset, take(bytes_max)};
    }
    std::optional<std::uint64_t> breaks_at;
    bool gives = true;

private:
    std::size_t take(std::size_t most) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, size_ - at_));
        at_ += count;
        return count;
    }

    std::uint64_t size_;
    std::uint64_t at_ = 0;
};

class Parts final : public Sink, public PartSink {
public:
    Task<Result<void>> write(std::span<const std::byte>) override { co_return fail(Code::internal, "they lie in a file"); }
    bool takes_parts() const override { return true; }
    Task<Result<void>> write_part(FilePart part) override {
        EXPECT_EQ(part.fd, 7);
        EXPECT_EQ(part.offset, bytes);
        bytes += part.length;
        co_return Result<void>{};
    }
    std::uint64_t bytes = 0;
};

TEST(Body, PumpTellsWhereBytesLieWhoCanTakeThemFromThere) {
    Loop loop("test");
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{kBodyChunkBytes}, std::uint64_t{10'000'001}}) {
        InFile source(size);
        Parts sink;
        EXPECT_EQ(*run_blocking(loop, pump(source, sink)), size);
        EXPECT_EQ(sink.bytes, size);
    }
}

TEST(Body, PumpReadsWhatLiesInAFileForWhoCannot) {
    Loop loop("test");
    InFile source(1000);
    MemorySink sink(1000);
    EXPECT_EQ(*run_blocking(loop, pump(source, sink)), 1000u);
    EXPECT_EQ(sink.bytes(), std::string(1000, 'f'));
}

TEST(Body, PumpReadsWhatHasToBeSeenOnItsWay) {
    Loop loop("test");
    InFile source(1000);
    source.gives = false;
    class Both final : public Sink, public PartSink {
    public:
        Task<Result<void>> write(std::span<const std::byte> piece) override {
            bytes += piece.size();
            co_return Result<void>{};
        }
        bool takes_parts() const override { return true; }
        Task<Result<void>> write_part(FilePart) override { co_return fail(Code::internal, "not from there"); }
        std::size_t bytes = 0;
    } sink;
    EXPECT_EQ(*run_blocking(loop, pump(source, sink)), 1000u);
    EXPECT_EQ(sink.bytes, 1000u);
}

TEST(Body, PumpEndsWithTheErrorOfAPart) {
    Loop loop("test");
    InFile source(12 << 20);
    source.breaks_at = 4 << 20;
    Parts sink;
    const auto moved = run_blocking(loop, pump(source, sink));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Code::corrupt);
    EXPECT_EQ(sink.bytes, 4u << 20);
}

TEST(Body, MemorySourceReadsInPieces) {
    Loop loop("test");
    MemorySource source("abcdef");
    std::array<std::byte, 4> buffer{};
    EXPECT_EQ(*run_blocking(loop, source.read(buffer)), 4u);
    EXPECT_EQ(*run_blocking(loop, source.read(buffer)), 2u);
    EXPECT_EQ(*run_blocking(loop, source.read(buffer)), 0u);
    EXPECT_EQ(source.size(), 6u);
}

TEST(Body, SinkRefusesWhatIsBeyondItsBound) {
    Loop loop("test");
    PiecewiseSource source(std::string(100, 'x'), 30);
    MemorySink sink(80);
    const auto moved = run_blocking(loop, pump(source, sink));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Code::too_large);
    EXPECT_LE(sink.bytes().size(), 80u);
}

TEST(Body, AnErrorOfTheSourceIsPassedOn) {
    Loop loop("test");
    PiecewiseSource source(std::string(100, 'x'), 30, true);
    MemorySink sink(1000);
    const auto moved = run_blocking(loop, pump(source, sink));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Code::incomplete_body);
}

}  // namespace
}  // namespace millrace
