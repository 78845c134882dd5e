#include "core/body.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/file_parts.h"

namespace millrace {
namespace {
constexpr std::uint64_t kTurnBytes = 4 << 20;
}  // namespace

Task<Result<std::size_t>> MemorySource::read(std::span<std::byte> buffer) {
    const std::size_t count = std::min(buffer.size(), bytes_.size() - offset_);
    std::memcpy(buffer.data(), bytes_.data() + offset_, count);
    offset_ += count;
    co_return count;
}

Task<Result<void>> MemorySink::write(std::span<const std::byte> bytes) {
    if (bytes_.size() + bytes.size() > bytes_max_) {
        co_return fail(Code::too_large, "body is larger than " + std::to_string(bytes_max_) + " bytes");
    }
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    co_return Result<void>{};
}

namespace {

// How far a transfer has come.
class Transfer {
public:
    std::uint64_t moved() const { return moved_; }
    // Now and then this lets others have their turn.
    Task<Result<void>> add(std::size_t count) {
        moved_ += count;
        if (moved_ < turn_ends_) co_return Result<void>{};
        turn_ends_ = moved_ + kTurnBytes;
        co_await next_turn();
        if (co_await is_cancelled()) co_return fail(Code::cancelled, "the transfer was given up");
        co_return Result<void>{};
    }

private:
    std::uint64_t moved_ = 0;
    std::uint64_t turn_ends_ = kTurnBytes;
};

Task<Result<void>> pump_parts(PartSource& source, PartSink& sink, Transfer& transfer) {
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const FilePart part, source.next_part(kTurnBytes));
        if (part.length == 0) co_return Result<void>{};
        MILLRACE_CO_TRY(co_await sink.write_part(part));
        MILLRACE_CO_TRY(co_await transfer.add(part.length));
    }
}

Task<Result<void>> pump_chunks(Source& source, Sink& sink, Transfer& transfer) {
    const std::uint64_t size = source.size().value_or(kBodyChunkBytes);
    const std::size_t chunk_bytes = static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, kBodyChunkBytes));
    const auto chunk = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes);
    const std::span<std::byte> room(chunk.get(), chunk_bytes);
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await source.read(room));
        if (count == 0) co_return Result<void>{};
        const std::span<const std::byte> bytes = room.first(count);
        MILLRACE_CO_TRY(co_await sink.write(bytes));
        MILLRACE_CO_TRY(co_await transfer.add(count));
    }
}

}  // namespace

Task<Result<std::uint64_t>> pump(Source& source, Sink& sink) {
    if (const auto whole = source.whole()) {
        MILLRACE_CO_TRY(co_await sink.write(as_bytes(*whole)));
        co_return whole->size();
    }
    Transfer transfer;
    auto* const from = dynamic_cast<PartSource*>(&source);
    auto* const to = dynamic_cast<PartSink*>(&sink);
    if (from != nullptr && from->gives_parts() && to != nullptr && to->takes_parts()) {
        MILLRACE_CO_TRY(co_await pump_parts(*from, *to, transfer));
    } else {
        MILLRACE_CO_TRY(co_await pump_chunks(source, sink, transfer));
    }
    co_return transfer.moved();
}

}  // namespace millrace
