#include "runtime/container_output.h"

#include <algorithm>

namespace millrace::runtime {

Task<Result<std::size_t>> ContainerOutput::read(std::span<std::byte> buffer) {
    while (left_ == 0) {
        MILLRACE_CO_TRY_ASSIGN(const bool more, co_await read_header());
        if (!more) co_return 0;
    }
    const std::span<std::byte> room = buffer.first(std::min<std::size_t>(buffer.size(), left_));
    MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await frames_->read(room));
    if (count == 0) co_return fail(Code::incomplete_body, "the output of the container broke off within a frame; its engine went away");
    left_ -= static_cast<std::uint32_t>(count);
    co_return count;
}

Task<Result<bool>> ContainerOutput::read_header() {
    std::size_t have = 0;
    while (have < kHeaderBytes) {
        const std::span<std::byte> room = std::span(header_).subspan(have);
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await frames_->read(room));
        if (count == 0 && have == 0) co_return false;
        if (count == 0) co_return fail(Code::incomplete_body, "the output of the container broke off within a frame; its engine went away");
        have += count;
    }
    const auto byte = [&](std::size_t at) { return std::to_integer<std::uint32_t>(header_[at]); };
    // 0 to 2: the three standard streams; 3: the engine's own words.
    if (byte(0) > 3 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
        co_return fail(Code::corrupt, "the engine sent output that is not in frames; is the container one with a terminal?");
    }
    left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    co_return true;
}

}  // namespace millrace::runtime
