// What a child does between its birth and its program, the same for both ways of starting one: before exec in a spawned child,
// which runs in its parent's memory (`runtime/spawn.cc`), and before main in a forked one, which is a process of a foreign program
// (`runtime/fork_preload.c`). C and C++; raw system calls only, nothing is allocated.
#pragma once
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
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
    millrace_step_namespace,
    millrace_step_list,
    millrace_step_user,
    millrace_step_calls,
    millrace_step_exec,   // spawned children only
    millrace_step_clone,  // forked children only: there is none
};

struct MillraceLimit {
    int resource;
    struct rlimit value;
};

// What keeps a child to itself (`runtime/SANDBOX.md`): made beforehand, by descriptor and address. No members: no sandbox.
struct MillraceSandbox {
    int mounts;               // namespaces that are entered; 0: none
    int network;
    int list;                 // of Landlock, made for it; 0: none
    uid_t user;               // also its group; 0: that of its parent
    int gives_up_rights;      // capabilities
    const struct sock_fprog* calls;  // seccomp's; null: none
};

struct MillraceChildSetup {
    pid_t parent;        // whose death is the child's
    const char* folder;  // working folder
    mode_t umask;        // not ours: what we write is for us alone
    int fds[3];          // become 0, 1 and 2; each is 3 or more
    struct MillraceLimit limits[7];
    size_t limit_count;
    struct MillraceSandbox sandbox;
};

#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

// Before anything of the child's own: what lies in other namespaces is not reached by the names of this one.
static MILLRACE_CHILD_CODE enum MillraceStep millrace_enter_namespaces(const struct MillraceSandbox* sandbox) {
    if (sandbox->network > 0 && syscall(SYS_setns, sandbox->network, CLONE_NEWNET) < 0) return millrace_step_namespace;
    if (sandbox->mounts > 0 && syscall(SYS_setns, sandbox->mounts, CLONE_NEWNS) < 0) return millrace_step_namespace;
    return millrace_step_none;
}

// From here on it cannot reach, signal or call more than the sandbox lets it, and nor can anything that it starts. A child in its parent's
// memory is nobody's to look into, although it is another user by then: the kernel takes that away with the change of the user.
static MILLRACE_CHILD_CODE enum MillraceStep millrace_give_up_rights(const struct MillraceSandbox* sandbox) {
    if (sandbox->list > 0 && syscall(SYS_landlock_restrict_self, sandbox->list, 0) < 0) return millrace_step_list;
    if (sandbox->user != 0) {
        const uid_t user = sandbox->user;
        if (syscall(SYS_setgroups, 0, NULL) < 0) return millrace_step_user;
        if (syscall(SYS_setresgid, user, user, user) < 0) return millrace_step_user;
        if (syscall(SYS_setresuid, user, user, user) < 0) return millrace_step_user;
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return millrace_step_user;  // forgotten with the change
    }
    if (sandbox->gives_up_rights) {
        struct __user_cap_header_struct header;
        struct __user_cap_data_struct none[2];
        header.version = _LINUX_CAPABILITY_VERSION_3;
        header.pid = 0;
        for (int i = 0; i < 2; ++i) none[i].effective = none[i].permitted = none[i].inheritable = 0;
        if (syscall(SYS_capset, &header, none) < 0) return millrace_step_user;
    }
    if (sandbox->calls != NULL && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, sandbox->calls) < 0) return millrace_step_calls;
    return millrace_step_none;
}

// The step that failed, with errno. The session comes last: until then a child belongs to the group of who made it.
static MILLRACE_CHILD_CODE enum MillraceStep millrace_set_up_child(const struct MillraceChildSetup* setup) {
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return millrace_step_parent;
    if (syscall(SYS_getppid) != setup->parent) return millrace_step_parent;  // it died before the line above
    syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_umask, setup->umask);
    enum MillraceStep failed = millrace_enter_namespaces(&setup->sandbox);
    if (failed != millrace_step_none) return failed;
    if (syscall(SYS_chdir, setup->folder) < 0) return millrace_step_folder;
    for (int fd = 0; fd < 3; ++fd) {
        if (syscall(SYS_dup3, setup->fds[fd], fd, 0) < 0) return millrace_step_descriptor;
    }
    for (size_t i = 0; i < setup->limit_count; ++i) {
        const struct MillraceLimit* limit = &setup->limits[i];
        if (syscall(SYS_prlimit64, 0, limit->resource, &limit->value, NULL) < 0) return millrace_step_limit;
    }
    failed = millrace_give_up_rights(&setup->sandbox);
    if (failed != millrace_step_none) return failed;
    if (syscall(SYS_getppid) != setup->parent) return millrace_step_parent;
    if (syscall(SYS_setsid) < 0) return millrace_step_session;
    return millrace_step_none;
}
