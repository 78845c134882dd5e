// Bodies that name many objects: read by one request at a time, so that a few of them do not take all memory there is, and handled aside
// from the control loop, where everybody waits.
//
// Control loop only.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "core/loop.h"
#include "http/server.h"

namespace millrace::scheduler {

inline constexpr std::size_t kSmallBodyBytesMax = 256 << 10;
inline constexpr std::size_t kLargeBodyBytesMax = 192 << 20;  // a million names of 128 MiB in all, with quotes and escapes

class LargeBodies {
public:
    // Where they are handled; outlives this.
    explicit LargeBodies(BlockingPool& aside) : aside_(aside) {}

    // Runs read(body) aside when the body is large, else in place, and gives what it gives. Code::overloaded while another large one is
    // being read, Code::too_large beyond the limit.
    template <class Read>
    auto read(http::Request& request, Read read) -> Task<std::invoke_result_t<Read, std::string>> {
        const bool small = request.size().value_or(kLargeBodyBytesMax) <= kSmallBodyBytesMax;
        if (!small && !place_.expired()) co_return fail(Code::overloaded, "another request with a long list is being read; try again in a moment");
        const auto place = small ? nullptr : std::make_shared<int>();
        if (place) place_ = place;
        auto body = co_await request.read_all(small ? kSmallBodyBytesMax : kLargeBodyBytesMax);
        if (!body) co_return body.error();
        if (body->size() <= kSmallBodyBytesMax) co_return read(*std::move(body));
        auto handle = [read = std::move(read), text = *std::move(body)]() mutable { return read(std::move(text)); };
        co_return co_await aside_.run(std::move(handle));
    }
    // Runs what was read before, aside.
    template <class Handle>
    auto handle(Handle handle) -> Task<std::invoke_result_t<Handle>> {
        return aside_.run(std::move(handle));
    }

private:
    BlockingPool& aside_;
    std::weak_ptr<int> place_;  // the one that there is, while somebody has it
};

}  // namespace millrace::scheduler
