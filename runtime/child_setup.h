// What a child does between its birth and its program, the same for both ways of starting one: before exec in a spawned child,
// which runs in its parent's memory (`runtime/spawn.cc`), and before main in a forked one, which is a process of a foreign program
// (`runtime/fork_preload.c`). C and C++; raw system calls only, nothing is allocated.
#pragma once
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define MILLRACE_CHILD_CODE __attribute__((no_sanitize("address", "thread", "undefined"), noinline, unused))

enum MillraceStep {
    millrace_step_none,
    millrace_step_parent,
    millrace_step_folder,
    millrace_step_descriptor,
    millrace_step_limit,
    millrace_step_session,
    millrace_step_exec,   // spawned children only
    millrace_step_clone,  // forked children only: there is none
};

struct MillraceLimit {
    int resource;
    struct rlimit value;
};

struct MillraceChildSetup {
    pid_t parent;        // whose death is the child's
    const char* folder;  // working folder
    mode_t umask;        // not ours: what we write is for us alone
    int fds[3];          // become 0, 1 and 2; each is 3 or more
    struct MillraceLimit limits[7];
    size_t limit_count;
};

// The step that failed, with errno. The session comes last: until then a child belongs to the group of who made it.
static MILLRACE_CHILD_CODE enum MillraceStep millrace_set_up_child(const struct MillraceChildSetup* setup) {
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return millrace_step_parent;
    if (syscall(SYS_getppid) != setup->parent) return millrace_step_parent;  // it died before the line above
    syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_umask, setup->umask);
    if (syscall(SYS_chdir, setup->folder) < 0) return millrace_step_folder;
    for (int fd = 0; fd < 3; ++fd) {
        if (syscall(SYS_dup3, setup->fds[fd], fd, 0) < 0) return millrace_step_descriptor;
    }
    for (size_t i = 0; i < setup->limit_count; ++i) {
        const struct MillraceLimit* limit = &setup->limits[i];
        if (syscall(SYS_prlimit64, 0, limit->resource, &limit->value, NULL) < 0) return millrace_step_limit;
    }
    if (syscall(SYS_setsid) < 0) return millrace_step_session;
    return millrace_step_none;
}
