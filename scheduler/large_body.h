// Bodies that name many objects: read by one request at a time, so that a few of them do not take all memory there is, and handled aside
// from the control loop, where everybody waits.
//
// Control loop only.
#pragma once
#include <string>
#include <utility>

#include "http/server.h"
#include "scheduler/proxy_core.h"

namespace millrace::scheduler {

inline constexpr std::size_t kSmallBodyBytesMax = 256 << 10;
inline constexpr std::size_t kLargeBodyBytesMax = 192 << 20;  // a million names of 128 MiB in all, with quotes and escapes

// Runs read(body) aside when the body is large, else in place, and gives what it gives. Code::overloaded while another large one is
// being read, Code::too_large beyond the limit.
template <class Read>
auto read_large_body(ProxyCore& core, http::Request& request, Read read) -> Task<std::invoke_result_t<Read, std::string>> {
    const bool small = request.size().value_or(kLargeBodyBytesMax) <= kSmallBodyBytesMax;
    const auto place = small ? ProxyCore::LargeBody{} : core.large_body();
    if (!small && !place) {
        co_return fail(Code::overloaded, "another request with a long list is being read; try again in a moment");
    }
    auto body = co_await request.read_all(small ? kSmallBodyBytesMax : kLargeBodyBytesMax);
    if (!body) co_return body.error();
    if (body->size() <= kSmallBodyBytesMax) co_return read(*std::move(body));
    auto aside = [read = std::move(read), text = *std::move(body)]() mutable { return read(std::move(text)); };
    co_return co_await core.aside().run(std::move(aside));
}

}  // namespace millrace::scheduler
