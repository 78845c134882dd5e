#include "runtime/sandbox_host.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/hash.h"
#include "runtime/child_environment.h"

namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

constexpr int kTriesMax = 8;  // more than there are steps that can fail

constexpr std::array kSystemFolders{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"};
// Of /etc what programs ask for, and none of what may be a secret of the target's own user. A user of its own has nothing there that not
// every user of the machine has, and each rule costs each child.
constexpr std::array kSettings{"alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "curlrc", "environment", "ffmpeg", "fonts",
                               "gai.conf", "gitattributes", "gitconfig", "gnutls", "group", "gss", "host.conf", "hosts", "ImageMagick-6",
                               "ImageMagick-7", "inputrc", "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "locale.alias",
                               "locale.conf", "localtime", "login.defs", "magic", "magic.mime", "mailcap", "mime.types", "nanorc", "networks",
                               "nsswitch.conf", "OpenCL", "os-release", "papersize", "passwd", "perl", "pki/tls/certs", "profile", "protocols",
                               "python3", "R", "resolv.conf", "services", "sgml", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone",
                               "vulkan", "wgetrc", "xattr.conf", "xml"};
constexpr std::array kMachine{"/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage"};
constexpr std::array kDevices{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

std::uint64_t identity_of(const std::string& folder) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) < 0) return 0;
    return xxh64(std::to_string(info.st_dev) + '/' + std::to_string(info.st_ino));
}

bool is_within(const fs::path& path, const fs::path& folder) {
    return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

fs::path real_path(const std::string& path) {
    std::error_code error;
    const fs::path real = fs::weakly_canonical(path, error);
    return error ? fs::path(path).lexically_normal() : real;
}

// The step at which a child could not enter, and its errno; none: it could.
struct Trial {
    MillraceStep step;
    int error;
};

Trial try_to_enter(const MillraceSandbox& sandbox) {
    int ends[2];
    if (::pipe(ends) < 0) return {millrace_step_none, 0};
    const Descriptor read(ends[0]);
    Descriptor write(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        ::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        MillraceStep step = millrace_enter_namespaces(&sandbox);
        if (step == millrace_step_none) step = millrace_give_up_rights(&sandbox);
        const int said[2] = {step, errno};
        const ssize_t written = ::syscall(SYS_write, write.get(), said, sizeof said);
        for (;;) ::syscall(SYS_exit_group, written == sizeof said ? 0 : 1);
    }
    write.close();
    int heard[2] = {millrace_step_none, 0};
    const bool is_known = child > 0 && ::read(read.get(), heard, sizeof heard) == sizeof heard;
    if (child > 0) ::waitpid(child, nullptr, 0);
    if (!is_known) return {millrace_step_calls, EPERM};  // it was killed: for a system call
    return {static_cast<MillraceStep>(heard[0]), heard[1]};
}

}  // namespace

std::shared_ptr<SandboxHost> SandboxHost::make(const std::string& run_folder, std::vector<std::string> guarded) {
    const std::string folder = real_path(run_folder).string();
    (void)make_folder(folder);  // who needs it says so
    std::shared_ptr<SandboxHost> host(new SandboxHost(folder));
    for (const std::string& path : guarded) host->guarded_.push_back(real_path(path).string());
    host->landlock_ = landlock_abi();
    if (host->landlock_ == 0) host->problems_.push_back("Landlock: it reads and writes whatever its user may");
    host->find_view(folder);
    host->make_calls();
    host->try_all();
    host->make_threads();
    if (host->landlock_ > 0) {
        host->list_system();
        host->list_settings();
    }
    return host;
}

SandboxHost::SandboxHost(const std::string& run_folder) : users_(identity_of(run_folder)) {}

void SandboxHost::find_view(const std::string& run_folder) {
    if (::geteuid() != 0) {
        problems_.push_back("own uid (the target is not root): it may change modes and times of files of the target's user");
        return;
    }
    auto view = make_sandbox_view(run_folder);
    const bool is_passable = view.has_value() || first_private_folder(run_folder).empty();
    if (view) {
        view_ = std::move(*view);
    } else {
        problems_.push_back("a view of its own of the machine: " + view.error().context);
    }
    has_users_ = is_passable && ::chmod(run_folder.c_str(), 0711) == 0;
    if (!has_users_) problems_.push_back("own uid: another user than the target's cannot reach " + run_folder);
}

void SandboxHost::make_calls() {
    for (const auto& [program, left] : {std::pair{&local_calls_, Sockets::local}, std::pair{&internet_calls_, Sockets::internet}}) {
        auto code = refuse_calls({.sockets = left, .truncate = landlock_ < 3});
        if (!code) {
            problems_.push_back("seccomp: " + code.error().context);
            return;
        }
        program->code = std::move(*code);
        program->header = {static_cast<unsigned short>(program->code.size()), program->code.data()};
    }
    refuses_calls_ = true;
}

MillraceSandbox SandboxHost::everything() const {
    MillraceSandbox all{};
    if (has_view()) {
        all.mounts = view_.mounts.get();
        all.network = view_.network.get();
    }
    if (has_users_) all.user = users_.first();
    all.gives_up_rights = 1;
    if (refuses_calls_) all.calls = &local_calls_.header;
    return all;
}

// What fails is left out of every sandbox, and said.
void SandboxHost::try_all() {
    for (int tries = 0; tries < kTriesMax; ++tries) {
        MillraceSandbox all = everything();
        Result<LandlockList> list = fail(Code::unavailable, "");
        if (landlock_ > 0) list = LandlockList::make(landlock_, true);
        const Descriptor entered = list ? list->release() : Descriptor();
        if (entered.is_open()) all.list = entered.get();
        const Trial trial = try_to_enter(all);
        const std::string why = std::strerror(trial.error);
        switch (trial.step) {
            case millrace_step_namespace:
                problems_.push_back("namespaces of its own: " + why);
                view_ = SandboxView();
                break;
            case millrace_step_list:
                problems_.push_back("Landlock: " + why);
                landlock_ = 0;
                break;
            case millrace_step_user:
                problems_.push_back("own uid: " + why);
                has_users_ = false;
                break;
            case millrace_step_calls:
                problems_.push_back("seccomp: " + why);
                refuses_calls_ = false;
                break;
            default: return;
        }
    }
}

void SandboxHost::make_threads() {
    const std::size_t most = std::max(1u, std::thread::hardware_concurrency());  // no more lanes than that start children
    for (const bool has_network : {false, true}) {
        MillraceSandbox shared{};
        if (has_view()) {
            shared.mounts = view_.mounts.get();
            if (!has_network) shared.network = view_.network.get();
        }
        shared.calls = calls(has_network || has_view() ? Sockets::internet : Sockets::local);
        threads_.push_back(std::make_unique<ConfinedThreads>(shared, most));
    }
}

ConfinedThreads* SandboxHost::threads(const MillraceSandbox& sandbox) const {
    const auto found = std::ranges::find_if(threads_, [&](const auto& threads) { return threads->are_in(sandbox); });
    return found == threads_.end() ? nullptr : found->get();
}

void SandboxHost::list_system() {
    const auto add = [this](const std::string& path, FileAccess access) {
        if (auto listed = listed_path(path, access)) system_paths_.push_back(std::move(*listed));
    };
    for (const char* const folder : kSystemFolders) add(folder, FileAccess::read);
    for (const char* const path : kMachine) add(path, FileAccess::read);
    for (const char* const path : kDevices) add(path, FileAccess::device);
    if (has_view()) {
        Descriptor processes(::fcntl(view_.processes.get(), F_DUPFD_CLOEXEC, 3));
        system_paths_.push_back({std::move(processes), true, FileAccess::read});
    } else {
        add("/proc", FileAccess::read);
    }
}

void SandboxHost::list_settings() {
    const auto add = [this](const std::string& path) {
        if (auto listed = listed_path(path, FileAccess::read)) some_settings_.push_back(std::move(*listed));
    };
    if (auto listed = listed_path("/etc", FileAccess::read)) all_settings_.push_back(std::move(*listed));
    for (const char* const name : kSettings) add(std::string("/etc/") + name);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/etc", error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("java-") || name.starts_with("python3.")) add(entry.path().string());
    }
}

bool SandboxHost::is_of_system(const std::string& file) const {
    return std::ranges::any_of(kSystemFolders, [&](const char* folder) { return is_within(real_path(file), folder); });
}

const sock_fprog* SandboxHost::calls(Sockets left) const {
    if (!refuses_calls_) return nullptr;
    return left == Sockets::local ? &local_calls_.header : &internet_calls_.header;
}

std::string SandboxHost::guarded_by(const std::string& path) const {
    const fs::path real = real_path(path);
    for (const std::string& guarded : guarded_) {
        if (is_within(real, guarded) || is_within(guarded, real)) return guarded;
    }
    return "";
}

}  // namespace millrace::runtime
