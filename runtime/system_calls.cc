#include "runtime/system_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "core/descriptor.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace millrace::runtime {
namespace {

constexpr std::array kPrivileged{
    // file systems and what is seen of them
    "mount", "umount", "umount2", "move_mount", "mount_setattr", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "pivot_root", "chroot", "swapon",
    "swapoff", "quotactl", "quotactl_fd", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "acct", "nfsservctl",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "migrate_pages", "move_pages",
    // namespaces
    "unshare", "setns",
    // the kernel
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "bpf", "perf_event_open", "lookup_dcookie",
    "syslog", "reboot", "userfaultfd", "vm86", "vm86old", "modify_ldt", "iopl", "ioperm", "uselib", "_sysctl", "sysfs", "ustat",
    // the machine
    "settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime", "sethostname", "setdomainname",
    "vhangup",
    // keys
    "add_key", "request_key", "keyctl"};

// Programs that use these know what to do where there are none.
constexpr std::array kUnknown{"io_uring_setup", "io_uring_enter", "io_uring_register", "clone3"};

constexpr std::array kNamespaces{CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};

// Words typed into a terminal, as if by its user.
constexpr std::array<unsigned, 2> kTerminalInput{TIOCSTI, TIOCLINUX};

using Context = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

class Rules {
public:
    explicit Rules(scmp_filter_ctx context) : context_(context) {}

    void refuse(const char* call, int error) {
        const int number = ::seccomp_syscall_resolve_name(call);
        if (number == __NR_SCMP_ERROR) return;  // younger than the library, or of another machine
        note(::seccomp_rule_add(context_, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), number, 0));
    }
    void refuse(int number, int error, scmp_arg_cmp when) {
        note(::seccomp_rule_add_array(context_, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), number, 1, &when));
    }
    int failure() const { return failure_; }

private:
    void note(int result) {
        if (result < 0 && failure_ == 0) failure_ = -result;
    }

    scmp_filter_ctx context_;
    int failure_ = 0;
};

scmp_arg_cmp argument(unsigned index, scmp_compare how, std::uint64_t a, std::uint64_t b = 0) { return {index, how, a, b}; }

void refuse_sockets(Rules& rules, Sockets left) {
    constexpr std::array<std::uint64_t, 4> kInternet{AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    std::uint64_t family = 0;
    for (const std::uint64_t allowed : kInternet) {
        for (; family < allowed; ++family) rules.refuse(SCMP_SYS(socket), EAFNOSUPPORT, argument(0, SCMP_CMP_EQ, family));
        family = allowed + 1;
        if (left == Sockets::local) break;
    }
    rules.refuse(SCMP_SYS(socket), EAFNOSUPPORT, argument(0, SCMP_CMP_GE, family));
}

Result<std::vector<sock_filter>> exported(scmp_filter_ctx context) {
    const Descriptor memory(::memfd_create("seccomp", MFD_CLOEXEC));
    const int failure = memory.is_open() ? -::seccomp_export_bpf(context, memory.get()) : errno;
    struct stat info {};
    if (failure != 0 || ::fstat(memory.get(), &info) < 0) return errno_error("cannot make a filter of system calls", failure != 0 ? failure : errno);
    std::vector<sock_filter> program(static_cast<std::size_t>(info.st_size) / sizeof(sock_filter));
    const auto bytes = static_cast<ssize_t>(program.size() * sizeof(sock_filter));
    if (::pread(memory.get(), program.data(), static_cast<std::size_t>(bytes), 0) != bytes) return errno_error("cannot read a filter of system calls", errno);
    return program;
}

}  // namespace

Result<std::vector<sock_filter>> refuse_calls(const RefusedCalls& refused) {
    const Context context(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release);
    if (!context) return fail(Code::unavailable, "cannot make a filter of system calls: out of memory");
    // A tree instead of a list: the kernel tries the whole of it for each call there is when a child enters.
    (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    Rules rules(context.get());
    for (const char* const call : kPrivileged) rules.refuse(call, EPERM);
    for (const char* const call : kUnknown) rules.refuse(call, ENOSYS);
    if (refused.truncate) rules.refuse("truncate", EPERM);
    for (const int flag : kNamespaces) {
        const auto bit = static_cast<std::uint64_t>(static_cast<unsigned>(flag));
        rules.refuse(SCMP_SYS(clone), EPERM, argument(0, SCMP_CMP_MASKED_EQ, bit, bit));
    }
    for (const unsigned request : kTerminalInput) rules.refuse(SCMP_SYS(ioctl), EPERM, argument(1, SCMP_CMP_MASKED_EQ, 0xffffffff, request));
    refuse_sockets(rules, refused.sockets);
    if (rules.failure() != 0) return errno_error("cannot make a filter of system calls", rules.failure());
    return exported(context.get());
}

}  // namespace millrace::runtime
