#include "http/read_all.h"

#include <algorithm>

namespace millrace::http {
namespace {

constexpr std::size_t kStepBytesMin = 4 * 1024;
constexpr std::size_t kStepBytesMax = 1024 * 1024;

Error larger_than(std::size_t bytes_max) {
    return fail(Code::too_large, "the body is larger than the " + std::to_string(bytes_max) + " bytes that are accepted here");
}

}  // namespace

Task<Result<std::string>> read_to_string(Source& source, std::size_t bytes_max) {
    const auto size = source.size();
    if (size && *size > bytes_max) co_return larger_than(bytes_max);
    std::string bytes;
    std::size_t used = 0;
    for (;;) {
        // Memory follows what has arrived: an announced size is a claim of the peer's.
        const std::size_t wanted = size ? static_cast<std::size_t>(*size) - used : std::max(used, kStepBytesMin);
        const std::size_t room = std::min({wanted, kStepBytesMax, bytes_max - used});
        if (room == 0) break;
        bytes.resize(used + room);
        const auto buffer = std::as_writable_bytes(std::span(bytes.data() + used, room));
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await source.read(buffer));
        used += count;
        if (count > 0) continue;
        bytes.resize(used);
        co_return bytes;
    }
    // What is full may also be at its end; only a read says so.
    std::byte beyond{};
    const std::span<std::byte> one(&beyond, 1);
    MILLRACE_CO_TRY_ASSIGN(const std::size_t more, co_await source.read(one));
    if (more > 0) co_return larger_than(bytes_max);
    co_return bytes;
}

}  // namespace millrace::http
