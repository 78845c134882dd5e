#include "runtime/sandbox_view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr const char* kResolver = "/run/systemd/resolve";  // where /etc/resolv.conf may lead

Result<void> mount_over(const std::string& folder, const char* kind, unsigned long flags, const char* options) {
    if (::mount(kind, folder.c_str(), kind, flags, options) == 0) return {};
    return errno_error("cannot mount over " + folder, errno);
}

Result<void> bind(const Descriptor& what, const std::string& folder) {
    const std::string name = "/proc/self/fd/" + std::to_string(what.get());
    if (::mount(name.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0) return {};
    return errno_error("cannot show " + folder, errno);
}

Descriptor open_folder(const std::string& folder) { return Descriptor(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }

// Empty, and to be passed but not listed; then with the folder in it that is to be seen there.
Result<void> cover(const std::string& above, const std::string& shown, const char* mode) {
    const Descriptor folder = open_folder(shown);
    MILLRACE_TRY(mount_over(above, "tmpfs", kPlain, mode));
    if (!folder.is_open()) return {};
    const auto umask_before = ::umask(066);  // of this thread alone, which has its own
    std::error_code error;
    fs::create_directories(shown, error);
    ::umask(umask_before);
    if (error) return errno_error("cannot make the way to " + shown, error.value());
    return bind(folder, shown);
}

Result<void> arrange(const std::string& run_folder) {
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return errno_error("cannot keep mounts to a sandbox", errno);
    std::string covered = first_private_folder(run_folder);
    if (covered.empty()) covered = fs::path(run_folder).parent_path().string();
    const bool is_below_run = covered.starts_with("/run/") || covered == "/run";
    MILLRACE_TRY(cover(is_below_run ? "/run" : covered, run_folder, "size=1m,mode=0711"));
    if (!is_below_run && fs::is_directory("/run")) MILLRACE_TRY(cover("/run", kResolver, "size=1m,mode=0755"));
    return mount_over("/proc", "proc", kPlain, "hidepid=2");
}

// Runs on a thread that ends in there.
Result<SandboxView> look_from_inside(const std::string& run_folder) {
    if (::unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWNET) != 0) return errno_error("namespaces of its own are not allowed here", errno);
    SandboxView view;
    // By the /proc from before: a name of a namespace lasts as long as it is open.
    view.mounts = Descriptor(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
    view.network = Descriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    MILLRACE_TRY(arrange(run_folder));
    view.processes = open_folder("/proc");
    if (!view.mounts.is_open() || !view.network.is_open() || !view.processes.is_open()) return errno_error("cannot open the namespaces of a sandbox", errno);
    return view;
}

}  // namespace

Result<SandboxView> make_sandbox_view(const std::string& run_folder) {
    Result<SandboxView> view = fail(Code::unavailable, "there is no thread to spare");
    try {
        std::thread visitor([&] { view = look_from_inside(run_folder); });
        visitor.join();
    } catch (const std::system_error&) {
        // Said already.
    }
    return view;
}

std::string first_private_folder(const std::string& path) {
    std::string found;
    for (fs::path folder = fs::path(path).parent_path(); folder.has_relative_path(); folder = folder.parent_path()) {
        struct stat info {};
        if (::stat(folder.c_str(), &info) < 0 || (info.st_mode & S_IXOTH) == 0) found = folder.string();
    }
    return found;
}

}  // namespace millrace::runtime
