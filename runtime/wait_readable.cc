#include "runtime/wait_readable.h"

#include <poll.h>

#include <boost/asio/use_awaitable.hpp>

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {


bool is_readable(int fd) {
    pollfd question{fd, POLLIN, 0};
    return ::poll(&question, 1, 0) > 0;
}

}  // namespace

Task<boost::system::error_code> wait_readable(asio::posix::stream_descriptor& descriptor) {
    for (;;) {
        const auto [error] = co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
        if (error || is_readable(descriptor.native_handle())) co_return error;
    }
}

}  // namespace millrace::runtime
