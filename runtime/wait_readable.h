// Waiting until a descriptor can be read, which for a pidfd means that its process has ended.
//
// A wait of the event loop may end too early: the state of a descriptor that was closed is used again for the next one, and an
// event of the old one may still be on its way. Who then kills or forgets a process does so to one that lives. So the kernel is
// asked once more, and the wait repeated. The descriptor's executor.
#pragma once
#include <boost/asio/posix/stream_descriptor.hpp>

#include "core/task.h"

namespace millrace::runtime {

// An error when the task is cancelled, or the descriptor cannot be watched.
Task<boost::system::error_code> wait_readable(boost::asio::posix::stream_descriptor& descriptor);

}  // namespace millrace::runtime
