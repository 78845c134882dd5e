// Streams of object bytes: where they come from and where they go. Everything that carries a body speaks these two, so
// that no part ever holds a whole large object.
//
// Used by one task at a time, on the executor it was made for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/task.h"

namespace millrace {

inline constexpr std::size_t kBodyChunkBytes = 256 * 1024;

class Source {
public:
    virtual ~Source() = default;
    // Bytes in all, when known before reading.
    virtual std::optional<std::uint64_t> size() const = 0;
    // Reads some bytes into the buffer; 0 at the end.
    virtual Task<Result<std::size_t>> read(std::span<std::byte> buffer) = 0;
    // All bytes, when they already lie in memory: saves a copy and a read. Valid while the source lives.
    virtual std::optional<std::string_view> whole() const { return std::nullopt; }
};

class Sink {
public:
    virtual ~Sink() = default;
    virtual Task<Result<void>> write(std::span<const std::byte> bytes) = 0;
    // Ends a write of another task, and all to come, with this error, where a write may wait for long.
    virtual void break_off(const Error&) {}
};

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// Bytes that lie in memory; does not own them.
class MemorySource final : public Source {
public:
    explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
    std::optional<std::uint64_t> size() const override { return bytes_.size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;
    std::optional<std::string_view> whole() const override { return bytes_; }

private:
    std::string_view bytes_;
    std::size_t offset_ = 0;
};

// Collects up to a bound; more is Code::too_large.
class MemorySink final : public Sink {
public:
    explicit MemorySink(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    std::string& bytes() { return bytes_; }

private:
    std::size_t bytes_max_;
    std::string bytes_;
};

// Moves everything from source to sink with one chunk in memory; the number of bytes moved. Other tasks get their turn also
// where neither end ever waits, as from file to file.
Task<Result<std::uint64_t>> pump(Source& source, Sink& sink);

}  // namespace millrace
