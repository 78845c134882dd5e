#include "runtime/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/private_files.h"
#include "runtime/child_setup.h"
#include "runtime/orphans.h"

// Kernel headers older than the kernel do not have them all.
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MILLRACE_SPAWN_COPIES_MEMORY 1  // its run time does not survive a child that shares memory
#endif
#endif

namespace millrace::runtime {
namespace {

// Written by the child; lies in memory that is shared even if the child has a copy of everything else.
struct StepFailure {
    volatile int step;
    volatile int error;
};

// All that the child needs, laid out before it exists: it must not allocate.
struct Plan {
    const char* file;
    char* const* argv;
    char* const* env;
    MillraceChildSetup setup;
    StepFailure* failure;
};

// The kernel's own layout: glibc's wrapper refuses or rewrites some signals.
struct KernelSigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

[[noreturn]] MILLRACE_CHILD_CODE void give_up(const Plan& plan, MillraceStep step) {
    plan.failure->error = errno;
    plan.failure->step = step;
    for (;;) ::syscall(SYS_exit_group, 127);
}

MILLRACE_CHILD_CODE void reset_signals() {
    KernelSigaction by_default;
    by_default.handler = SIG_DFL;
    by_default.flags = 0;
    by_default.restorer = nullptr;
    by_default.mask = 0;
    for (int number = 1; number <= 64; ++number) ::syscall(SYS_rt_sigaction, number, &by_default, nullptr, sizeof by_default.mask);
    const unsigned long none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
}

// Runs in the child, possibly in the parent's memory while the parent waits: raw system calls on the plan only.
MILLRACE_CHILD_CODE int run_child(void* argument) {
    const Plan& plan = *static_cast<const Plan*>(argument);
    const MillraceStep failed = millrace_set_up_child(&plan.setup);
    if (failed != millrace_step_none) give_up(plan, failed);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);  // missing before Linux 5.9: all of ours close on exec anyway
    reset_signals();
    ::syscall(SYS_execve, plan.file, plan.argv, plan.env);
    give_up(plan, millrace_step_exec);
}

void add_limit(MillraceChildSetup& setup, int resource, std::uint64_t value, std::uint64_t hard_extra = 0) {
    struct rlimit current {};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &current);
    const rlim_t hard = std::min<rlim_t>(value + std::min<std::uint64_t>(hard_extra, RLIM_INFINITY - value), current.rlim_max);
    setup.limits[setup.limit_count++] = {resource, {std::min<rlim_t>(value, hard), hard}};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // execve does not write
    list.push_back(nullptr);
    return list;
}

// One page per thread that a child shares with us however it was made.
StepFailure* failure_page() {
    struct Page {
        StepFailure* memory = nullptr;
        Page() {
            void* mapped = ::mmap(nullptr, sizeof(StepFailure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            if (mapped != MAP_FAILED) memory = static_cast<StepFailure*>(mapped);
        }
        ~Page() {
            if (memory != nullptr) ::munmap(memory, sizeof(StepFailure));
        }
    };
    static thread_local Page page;
    return page.memory;
}

// Returns in the parent only, once the child has executed the program or given up.
pid_t start(Plan& plan, int& pidfd) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);  // no handler of ours may run in the child
#ifdef MILLRACE_SPAWN_COPIES_MEMORY
    const long pid = ::syscall(SYS_clone, CLONE_VFORK | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr);
    if (pid == 0) run_child(&plan);
#else
    constexpr std::size_t kChildStackBytes = 32 * 1024;
    alignas(64) char stack[kChildStackBytes];
    const long pid = ::clone(run_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
#endif
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return static_cast<pid_t>(pid);
}

pid_t start_confined(ConfinedThreads& threads, Plan& plan, int& pidfd) {
    Plan rest = plan;
    rest.setup.sandbox = ConfinedThreads::left_of(plan.setup.sandbox);
    pid_t pid = -1;
    int error = 0;
    const auto start_there = [&] {
        pid = start(rest, pidfd);
        error = errno;
    };
    if (!threads.run(start_there)) return start(plan, pidfd);
    errno = error;
    return pid;
}

// A descriptor above 2, so that moving one into place never overwrites another.
Result<int> above_standard(int fd, int open_flags, Descriptor& owner) {
    if (fd >= 3) return fd;
    owner = Descriptor(fd < 0 ? ::open("/dev/null", open_flags | O_CLOEXEC) : ::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (owner.is_open() && owner.get() < 3) {
        Descriptor higher(::fcntl(owner.get(), F_DUPFD_CLOEXEC, 3));
        owner = std::move(higher);
    }
    if (!owner.is_open()) return fail(Code::unavailable, std::string("cannot open a descriptor for a child: ") + std::strerror(errno));
    return owner.get();
}

}  // namespace

Result<Child> spawn(const SpawnRequest& request) {
    Plan plan{};
    std::array<Descriptor, 3> owners;
    const std::array<int, 3> wanted{request.stdin_fd, request.stdout_fd, request.stderr_fd};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        MILLRACE_TRY_ASSIGN(plan.setup.fds[i], above_standard(wanted[i], i == 0 ? O_RDONLY : O_WRONLY, owners[i]));
    }
    const std::vector<char*> argv = pointers(request.argv);
    const std::vector<char*> env = pointers(request.env);
    plan.file = request.file.c_str();
    plan.argv = argv.data();
    plan.env = env.data();
    plan.setup.folder = request.folder.c_str();
    set_limits(plan.setup, request.limits, request.mark);
    plan.setup.sandbox = request.sandbox;
    plan.failure = failure_page();
    if (plan.failure == nullptr) return fail(Code::unavailable, "cannot start a process: out of memory");
    plan.failure->step = millrace_step_none;
    int pidfd = -1;
    const pid_t pid = request.threads != nullptr ? start_confined(*request.threads, plan, pidfd) : start(plan, pidfd);
    if (pid < 0) return fail(Code::unavailable, std::string("cannot start a process: ") + std::strerror(errno));
    Child child(pid, Descriptor(pidfd));
    if (plan.failure->step == millrace_step_none) return child;
    (void)child.reap();
    return start_error(request, static_cast<MillraceStep>(plan.failure->step), plan.failure->error);
}

void set_limits(MillraceChildSetup& setup, const Limits& limits, Mark mark) {
    setup.parent = ::getpid();
    setup.umask = callers_umask();
    setup.limit_count = 0;
    add_limit(setup, RLIMIT_CORE, 0);
    if (limits.memory_bytes != 0) add_limit(setup, RLIMIT_AS, limits.memory_bytes);
    // SIGXCPU at the limit, which says more than the SIGKILL one second later.
    if (limits.cpu_seconds != 0) add_limit(setup, RLIMIT_CPU, limits.cpu_seconds, 1);
    if (limits.open_files != 0) add_limit(setup, RLIMIT_NOFILE, limits.open_files);
    if (limits.file_bytes != 0) add_limit(setup, RLIMIT_FSIZE, limits.file_bytes);
    if (limits.processes != 0) add_limit(setup, RLIMIT_NPROC, limits.processes);
    if (mark != 0) add_limit(setup, RLIMIT_LOCKS, mark);
}

Error start_error(const SpawnRequest& request, MillraceStep step, int error) {
    const std::string program = "cannot execute " + request.file;
    switch (step) {
        case millrace_step_folder:
            return {Code::unavailable, "cannot enter the working folder " + request.folder + ": " + std::strerror(error)};
        case millrace_step_namespace:
        case millrace_step_list:
        case millrace_step_user:
        case millrace_step_calls:
            return {Code::unavailable, program + ": it cannot be put into its sandbox: " + std::strerror(error)};
        case millrace_step_limit: return {Code::unavailable, "cannot set the resource limits: " + std::string(std::strerror(error))};
        case millrace_step_exec: break;
        default: return {Code::unavailable, program + ": preparing the process failed: " + std::strerror(error)};
    }
    if (error == E2BIG) return {Code::too_large, program + ": the arguments and the environment are too long"};
    if (error == ENOENT) return {Code::not_found, program + ": the program or its interpreter does not exist"};
    if (error == ENOEXEC) return {Code::permission, program + ": neither a binary of this machine nor a script that starts with #!"};
    if (error == EACCES || error == EPERM) return {Code::permission, program + ": " + std::strerror(error)};
    return {Code::unavailable, program + ": " + std::strerror(error)};
}

Result<Child> adopt_child(pid_t pid) {
    const long pidfd = ::syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0) return Child(pid, Descriptor(static_cast<int>(pidfd)));
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return errno_error("cannot watch a process", error);
}

Child::Child(pid_t pid, Descriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) { remember_child(pid_); }

Child::~Child() {
    if (pid_ == 0) return;
    signal_group(SIGKILL);
    (void)reap();
}

void Child::signal_group(int signal) const {
    if (pid_ == 0) return;
    ::kill(-pid_, signal);
}

bool Child::has_ended_well() const {
    siginfo_t info{};
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOWAIT | WNOHANG) < 0) return false;
    return info.si_pid != 0 && info.si_code == CLD_EXITED && info.si_status == 0;
}

ExitStatus Child::reap() {
    siginfo_t info{};
    int waited = 0;
    do {
        waited = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED);
    } while (waited < 0 && errno == EINTR);
    forget_child(std::exchange(pid_, 0));
    pidfd_.close();
    if (waited < 0) return {true, SIGKILL};  // somebody else reaped it: SIGCHLD is ignored in this process
    return {info.si_code != CLD_EXITED, info.si_status};
}

std::string ExitStatus::text() const {
    if (!signalled) return "exit status " + std::to_string(number);
    const char* name = ::sigabbrev_np(number);
    return "killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number));
}

Result<std::string> find_program(const std::string& name, const std::string& path, const std::string& folder) {
    const auto is_program = [](const std::string& file) {
        struct stat info {};
        return ::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(file.c_str(), X_OK) == 0;
    };
    const auto exists = [](const std::string& file) { return ::access(file.c_str(), F_OK) == 0; };
    const auto not_executable = [](const std::string& file) {
        return fail(Code::permission, file + " is not an executable file; set its mode with chmod +x");
    };
    if (name.find('/') != name.npos) {
        const std::string file = name.starts_with('/') ? name : folder + '/' + name;
        if (is_program(file)) return file;
        if (exists(file)) return not_executable(file);
        return fail(Code::not_found, "command not found: " + file);
    }
    std::string found_file;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        const std::string entry = path.substr(start, end - start);
        const std::string file = (entry.empty() ? folder : entry.starts_with('/') ? entry : folder + '/' + entry) + '/' + name;
        if (is_program(file)) return file;
        if (found_file.empty() && exists(file)) found_file = file;
        start = end + 1;
    }
    if (!found_file.empty()) return not_executable(found_file);
    return fail(Code::not_found, "command not found: " + name);
}

Result<Pipe> make_pipe(PipeEnd ours) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) < 0) return fail(Code::unavailable, std::string("cannot make a pipe: ") + std::strerror(errno));
    Pipe pipe{Descriptor(fds[0]), Descriptor(fds[1])};
    const int kept = ours == PipeEnd::read ? fds[0] : fds[1];
    if (::fcntl(kept, F_SETFL, O_NONBLOCK) < 0) return errno_error("cannot prepare a pipe", errno);  // a new one has no other flags
    return pipe;
}

}  // namespace millrace::runtime
