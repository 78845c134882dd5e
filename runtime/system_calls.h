// The system calls that a sandboxed child may not make: what programs that transform bytes do not need, and what the kernel's holes
// have been in. A program for the kernel's own filter (seccomp), made once and entered by each child.
#pragma once
#include <linux/filter.h>

#include <vector>

#include "core/result.h"

namespace millrace::runtime {

// What is left of socket(): Unix sockets alone, or also those of the network that the child is in.
enum class Sockets { local, internet };

struct RefusedCalls {
    Sockets sockets = Sockets::local;
    bool truncate = false;  // also truncate() of a path, which Landlock does not know before ABI 3
};

// Refused calls fail with EPERM, as without privileges, or ENOSYS where programs then use an older one; a call of another
// machine's convention ends the process. Any thread.
Result<std::vector<sock_filter>> refuse_calls(const RefusedCalls& refused);

}  // namespace millrace::runtime
