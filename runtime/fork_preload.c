// Loaded into a filter's program with LD_PRELOAD: lets it load and initialize itself once, stops it right before main, and makes
// a child for each request, which runs the real main. runtime/FORKSERVER.md has the whole picture.
//
// It lives in foreign processes: it uses libc, allocates nothing, and does nothing at all unless its parent asked for it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/fork_protocol.h"

#define EXPORTED __attribute__((visibility("default")))

typedef int (*Main)(int, char**, char**);
typedef char* (*GetVariable)(const char*);
typedef int (*StartMain)(Main, int, char**, void (*)(void), void (*)(void), void (*)(void), void*);

extern char** environ;

enum { control_fd = 0 };  // so that the numbers of all other descriptors are those of a spawned child

static Main real_main;
static GetVariable real_getenv;     // once the program stands before main
static int object_was_read;         // somebody asked for a variable of the object before that: what it got is no object's
static int* thread_id;              // where libc keeps the id of the main thread
static void* robust_list;           // libc's list of robust mutexes, and its size: the kernel forgets them in a child
static size_t robust_list_bytes;
static char message[millrace_fork_bytes_max + 1];

static const char* const slot_names[millrace_object_variables] = {"LD_PRELOAD=", MILLRACE_FORK_VARIABLE "=", "MILLRACE_ARGS=", "TMPDIR=",
                                                                   "HOME="};

// The number of entries of a folder in /proc, "." and ".." not counted; -1: cannot be read.
static int count_entries(const char* folder) {
    struct Entry {
        uint64_t inode;
        int64_t offset;
        unsigned short bytes;
        unsigned char type;
        char name[];
    };
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    int count = 0;
    _Alignas(struct Entry) char chunk[2048];
    long bytes;
    while ((bytes = syscall(SYS_getdents64, fd, chunk, sizeof chunk)) > 0) {
        for (long at = 0; at < bytes;) {
            const struct Entry* entry = (const struct Entry*)(chunk + at);
            if (entry->name[0] != '.') ++count;
            at += entry->bytes;
        }
    }
    close(fd);
    return bytes < 0 ? -1 : count;
}

// Whether memory is mapped that children would change for each other: "address rw-s …" in a line of the map.
static int shares_memory(void) {
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 1;
    char chunk[4096];
    long bytes;
    int column = -1;  // of the permissions; -1 before them, 4 and more behind them
    int writable = 0;
    int shares = 0;
    while ((bytes = read(fd, chunk, sizeof chunk)) > 0) {
        for (long at = 0; at < bytes; ++at) {
            if (column == 1) writable = chunk[at] == 'w';
            if (column == 3 && writable && chunk[at] == 's') shares = 1;
            if (chunk[at] == '\n') {
                column = -1;
            } else if (column >= 0 ? column < 4 : chunk[at] == ' ') {
                ++column;
            }
        }
    }
    close(fd);
    return shares || bytes < 0;
}

static char** find_slot(char** environment, size_t slot) {
    for (; *environment != NULL; ++environment) {
        if (strncmp(*environment, slot_names[slot], strlen(slot_names[slot])) == 0) return environment;
    }
    return NULL;
}

static int has_slots(char** environment) {
    for (size_t slot = 0; slot < millrace_object_variables; ++slot) {
        if (find_slot(environment, slot) == NULL) return 0;
    }
    return 1;
}

static void fill_slots(char** environment, char* const* variables) {
    char** places[millrace_object_variables];
    for (size_t slot = 0; slot < millrace_object_variables; ++slot) places[slot] = find_slot(environment, slot);
    for (size_t slot = 0; slot < millrace_object_variables; ++slot) *places[slot] = variables[slot];
}

// libc's cannot be looked up yet: that may ask for variables itself.
static char* find_variable(const char* name) {
    const size_t length = strlen(name);
    for (char** variable = environ; variable != NULL && *variable != NULL; ++variable) {
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') return *variable + length + 1;
    }
    return NULL;
}

static int is_of_object(const char* name) {
    return strncmp(name, "MILLRACE_", strlen("MILLRACE_")) == 0 || strcmp(name, "TMPDIR") == 0 || strcmp(name, "HOME") == 0;
}

static char* get_variable(const char* name) {
    if (real_getenv != NULL) return real_getenv(name);
    if (is_of_object(name)) object_was_read = 1;
    return find_variable(name);
}

// Programs with privileges, for which the second differs, are not forked.
EXPORTED char* getenv(const char* name) { return get_variable(name); }
EXPORTED char* secure_getenv(const char* name) { return get_variable(name); }

static enum MillraceVerdict verdict(char** first_environment) {
    if (count_entries("/proc/self/task") != 1) return millrace_has_threads;
    if (count_entries("/proc/self/fd") != 4) return millrace_has_descriptors;  // 0, 1, 2 and that of the folder
    if (shares_memory()) return millrace_shares_memory;
    if (object_was_read) return millrace_read_object;
    if (!has_slots(environ) || !has_slots(first_environment)) return millrace_changed_environment;
    if (prctl(PR_GET_TID_ADDRESS, &thread_id) < 0 || thread_id == NULL) return millrace_lacks_support;
    if (syscall(SYS_get_robust_list, 0, &robust_list, &robust_list_bytes) < 0) return millrace_lacks_support;
    return millrace_can_fork;
}

// As fork(), except that the child is our parent's: the target waits for it, and it dies with the target's thread, as a spawned
// one does. What libc's fork() does for a process with one thread is done here: the id of the thread, its list of mutexes.
static pid_t fork_for_parent(void) {
    const unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
    const long pid = syscall(SYS_clone, flags, NULL, NULL, thread_id, NULL);
#elif defined(__aarch64__) || defined(__riscv)
    const long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, thread_id);
#else
    (void)flags;
    errno = ENOSYS;
    const long pid = -1;
#endif
    if (pid == 0) syscall(SYS_set_robust_list, robust_list, robust_list_bytes);
    return (pid_t)pid;
}

static void send_reply(int pipe, pid_t pid, enum MillraceStep step, int error) {
    const struct MillraceForkReply reply = {pid, (int32_t)step, error};
    if (write(pipe, &reply, sizeof reply) != (ssize_t)sizeof reply) _exit(127);
}

// Waits for the next request; the program ends when there will be none.
static size_t receive(struct MillraceForkRequest* request, int* fds, char** texts) {
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(millrace_fork_fds_max * sizeof(int))];
    struct iovec whole = {message, millrace_fork_bytes_max};
    struct msghdr header = {.msg_iov = &whole, .msg_iovlen = 1, .msg_control = ancillary, .msg_controllen = sizeof ancillary};
    ssize_t bytes;
    while ((bytes = recvmsg(control_fd, &header, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    const struct cmsghdr* sent = CMSG_FIRSTHDR(&header);
    if (bytes < (ssize_t)sizeof *request || sent == NULL || sent->cmsg_len < CMSG_LEN(millrace_fork_fds * sizeof(int))) _exit(0);
    const size_t count = (sent->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(sent), count * sizeof(int));
    memcpy(request, message, sizeof *request);
    message[bytes] = '\0';
    char* text = message + sizeof *request;
    for (size_t i = 0; i <= millrace_object_variables; ++i) {
        texts[i] = text;
        if (text < message + bytes) text += strlen(text) + 1;
    }
    return count;
}

static void become_program(struct MillraceForkRequest* request, const int* fds, size_t fd_count, char** texts) {
    request->setup.folder = texts[0];
    request->setup.sandbox.list = fd_count > millrace_fork_fds ? fds[millrace_fork_fds] : 0;
    memcpy(request->setup.fds, fds, sizeof request->setup.fds);
    const enum MillraceStep failed = millrace_set_up_child(&request->setup);
    send_reply(fds[3], getpid(), failed, errno);
    if (failed != millrace_step_none) _exit(127);
    for (size_t i = 0; i < fd_count; ++i) close(fds[i]);
}

static int wait_before_main(int argc, char** argv, char** envp) {
    const int before = errno;
    const enum MillraceVerdict judged = verdict(argv + argc + 1);
    void* const found = dlsym(RTLD_NEXT, "getenv");
    memcpy(&real_getenv, &found, sizeof real_getenv);
    char** const first_environment = argv + argc + 1;
    const struct MillraceForkHello hello = {millrace_fork_version, judged};
    const struct timeval idle = {millrace_fork_idle_seconds, 0};
    if (setsockopt(control_fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle) < 0) _exit(0);
    if (send(control_fd, &hello, sizeof hello, MSG_NOSIGNAL) < 0 || hello.verdict != millrace_can_fork) _exit(0);
    for (;;) {
        struct MillraceForkRequest request;
        int fds[millrace_fork_fds_max];
        char* texts[1 + millrace_object_variables];
        const size_t fd_count = receive(&request, fds, texts);
        const pid_t pid = fork_for_parent();
        if (pid == 0) {
            become_program(&request, fds, fd_count, texts);
            fill_slots(first_environment, texts + 1);
            if (environ != first_environment) fill_slots(environ, texts + 1);
            errno = before;
            return real_main(argc, argv, envp);
        }
        if (pid < 0) send_reply(fds[3], 0, millrace_step_clone, errno);
        for (size_t i = 0; i < fd_count; ++i) close(fds[i]);
    }
}

EXPORTED int __libc_start_main(Main program, int argc, char** argv, void (*init)(void), void (*fini)(void), void (*loader_fini)(void),
                               void* stack_end) {
    StartMain start;
    void* found = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&start, &found, sizeof start);
    const char* const asked = find_variable(MILLRACE_FORK_VARIABLE);
    if (asked != NULL && strtol(asked, NULL, 10) == getppid()) {
        real_main = program;
        program = wait_before_main;
    }
    return start(program, argc, argv, init, fini, loader_fini, stack_end);
}
