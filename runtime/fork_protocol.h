// What a target and a program that waits before its main say to each other (`runtime/FORKSERVER.md`): one message of a
// Unix seqpacket socket each, except the reply, which goes through a pipe of its own. Both ends are of one build. C and C++.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "runtime/child_setup.h"

// Set to the target's process id where the library is to do something. LD_PRELOAD, this variable, MILLRACE_ARGS, TMPDIR and HOME are the
// last of the program's environment, in the places that the object's own variables take in a child.
#define MILLRACE_FORK_VARIABLE "MILLRACE_FORK_PARENT"

enum {
    millrace_fork_version = 3,
    millrace_fork_bytes_max = 64 * 1024,  // of a request; an object with longer names or arguments is spawned
    millrace_fork_fds = 4,                // stdin, stdout, stderr, the pipe for the reply
    millrace_fork_fds_max = 5,            // and Landlock's list of the child, where there is one
    millrace_fork_idle_seconds = 60,      // a program that waits for so long ends
    millrace_object_variables = 5,
};

enum MillraceVerdict {
    millrace_can_fork,
    millrace_has_threads,
    millrace_has_descriptors,
    millrace_shares_memory,
    millrace_changed_environment,
    millrace_lacks_support,
    millrace_read_object,
};

// program → target, once, when it stands before main. Unless it can fork it ends.
struct MillraceForkHello {
    uint32_t version;
    uint32_t verdict;
};

// target → program, with the descriptors. The child is in the sandbox of the program already, and enters a list of its own.
// Behind it, each ending in NUL: the folder, then the object's variables "NAME=value".
struct MillraceForkRequest {
    struct MillraceChildSetup setup;  // folder, fds and the list of the sandbox are filled in by the receiver
};

// child → target, from its own process: from here on it is the program. pid 0, from the program that waits: there is no child.
struct MillraceForkReply {
    int32_t pid;
    int32_t step;   // enum MillraceStep: none, or where the child failed, which then ends by itself
    int32_t error;  // errno of that
};
