#include "runtime/sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>

namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kProcessesMax = 1024;  // and threads, of a run

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

// A folder of somebody's files, of which the program is only one.
bool is_of_many(const fs::path& folder) {
    const auto depth = std::distance(folder.begin(), folder.end());  // "/" counts
    return depth <= 2 || (depth == 3 && folder.parent_path() == "/home");
}

}  // namespace

Result<std::shared_ptr<const Sandbox>> Sandbox::make(std::shared_ptr<const SandboxHost> host, const spec::TransformSpec& spec, const SandboxNeeds& needs) {
    if (!host || spec.sandbox.off) return std::shared_ptr<const Sandbox>();
    std::shared_ptr<Sandbox> sandbox(new Sandbox(std::move(host), spec, needs));
    for (const std::string& path : spec.sandbox.read) MILLRACE_TRY(sandbox->open("sandbox.read", path, FileAccess::read));
    for (const std::string& path : spec.sandbox.write) MILLRACE_TRY(sandbox->open("sandbox.write", path, FileAccess::write));
    if (!spec.workdir.empty()) MILLRACE_TRY(sandbox->open("workdir", spec.workdir, FileAccess::write));
    for (const std::string& folder : needs.objects) {
        if (auto listed = listed_path(folder, FileAccess::read)) sandbox->paths_.push_back(std::move(*listed));
    }
    if (const std::string folder = first_private_folder(needs.program); sandbox->has_users_ && !folder.empty()) {
        return fail(Code::permission, "the program " + needs.program + " lies in " + folder + ", which its owner alone enters, and in its sandbox it is "
                                      "another user: move it, open the folder (chmod o+x " + folder + "), or register it with 'sandbox: off'");
    }
    sandbox->open_program(needs.program);
    if (!needs.library.empty()) {
        if (auto listed = listed_path(needs.library, FileAccess::read)) sandbox->paths_.push_back(std::move(*listed));
    }
    sandbox->describe(spec, needs);
    return std::shared_ptr<const Sandbox>(sandbox);
}

// A server that reads objects by path, or talks over TCP as no other user, has what the view does not show.
Sandbox::Sandbox(std::shared_ptr<const SandboxHost> host, const spec::TransformSpec& spec, const SandboxNeeds& needs)
    : host_(std::move(host)), has_users_(host_->has_users() && needs.objects.empty()), has_view_(host_->has_view() && needs.objects.empty()),
      has_network_(host_->has_view() && !spec.sandbox.network), disk_bytes_(spec.sandbox.disk_bytes) {
    const bool needs_sockets = spec.sandbox.network || needs.serves_tcp;
    closes_tcp_ = !has_network_ && !needs_sockets;  // a network with nothing in it says better what is missing
    sockets_ = has_network_ || needs_sockets ? Sockets::internet : Sockets::local;
}

Result<void> Sandbox::open(const std::string& key, const std::string& path, FileAccess access) {
    if (const std::string guarded = host_->guarded_by(path); !guarded.empty()) {
        return fail(Code::invalid_argument, key + ": " + path + " would open " + guarded + ", where the target keeps its objects; name another "
                                                  "folder, or, to trust the program with all of them, 'sandbox: off'");
    }
    auto listed = listed_path(path, access);
    if (!listed) return fail(Code::not_found, key + ": " + path + " is not on this target: make it, or correct the specification");
    struct stat info {};
    ::fstat(listed->file.get(), &info);
    if (const std::string folder = first_private_folder(path); has_users_ && !folder.empty()) {
        return fail(Code::permission, key + ": " + path + " lies in " + folder + ", which its owner alone enters, and in its sandbox a program is another "
                                            "user: open it (chmod o+x " + folder + "), or name another place");
    }
    const bool is_written = key == "sandbox.write";  // a workdir may be one that is only read
    const mode_t wanted = is_written ? S_IROTH | S_IWOTH : S_IROTH;
    if (has_users_ && (info.st_mode & wanted) != wanted) {
        const std::string how = is_written ? "o+rwX " : "o+rX ";
        return fail(Code::permission, key + ": " + path + " is closed to other users, and in its sandbox a program is one: chmod -R " + how + path);
    }
    paths_.push_back(std::move(*listed));
    return {};
}

// The file, and, where its folder is one of a program, what lies beside it.
void Sandbox::open_program(const std::string& file) {
    std::error_code error;
    for (const fs::path& place : {fs::path(file), fs::canonical(file, error)}) {
        if (place.empty() || host_->is_of_system(place.string())) continue;
        if (auto listed = listed_path(place.string(), FileAccess::read)) paths_.push_back(std::move(*listed));
        const fs::path folder = place.parent_path();
        if (is_of_many(folder) || !host_->guarded_by(folder.string()).empty()) continue;
        if (auto listed = listed_path(folder.string(), FileAccess::read)) paths_.push_back(std::move(*listed));
    }
}

void Sandbox::describe(const spec::TransformSpec& spec, const SandboxNeeds& needs) {
    const int abi = host_->landlock();
    std::vector<std::string> has;
    std::vector<std::string> lacks = host_->problems();
    if (abi > 0) has.push_back("landlock " + std::to_string(abi));
    if (host_->refuses_calls()) has.push_back("seccomp");
    if (has_users_) has.push_back("own uid");
    if (!needs.objects.empty() && host_->has_users()) lacks.push_back("own uid: it reads objects by their paths (file_paths)");
    if (has_network_ || (host_->refuses_calls() && sockets_ == Sockets::local)) {
        has.push_back("no network");
    } else if (!spec.sandbox.network) {
        lacks.push_back("a closed network: it answers over TCP, and namespaces are not to be had");
    }
    if (abi < 6 && has_users_) lacks.push_back("Landlock 6: runs that are forked of one program may signal each other");
    if (abi < 6 && !has_users_) lacks.push_back("Landlock 6: it may signal other processes of the target's user");
    if (abi < 6 && !has_network_) lacks.push_back("Landlock 6: it reaches abstract sockets of others");
    in_force_ = joined(has);
    lacks_ = joined(lacks);
}

Result<std::shared_ptr<const OwnUser>> Sandbox::new_user() const {
    if (!has_users_) return std::shared_ptr<const OwnUser>();
    const auto user = host_->users().take();
    if (!user) return fail(Code::overloaded, "all " + std::to_string(UserRange::kUsers) + " users for sandboxes are taken; lower the concurrency");
    return std::make_shared<const OwnUser>(host_, *user);
}

Result<void> Sandbox::hand_over(const std::string& folder, const OwnUser* user) {
    if (user == nullptr || ::lchown(folder.c_str(), user->id(), user->id()) == 0) return {};
    return errno_error("cannot give " + folder + " to the user of a sandbox", errno);
}

Result<Descriptor> Sandbox::list(const std::vector<std::string>& folders) const {
    if (host_->landlock() == 0) return Descriptor();
    MILLRACE_TRY_ASSIGN(LandlockList made, LandlockList::make(host_->landlock(), closes_tcp_));
    for (const ListedPath& path : host_->system_paths()) MILLRACE_TRY(made.allow(path));
    for (const ListedPath& path : host_->settings(has_users_)) MILLRACE_TRY(made.allow(path));
    for (const ListedPath& path : paths_) MILLRACE_TRY(made.allow(path));
    for (const std::string& folder : folders) {
        MILLRACE_TRY_ASSIGN(const ListedPath path, listed_path(folder, FileAccess::write));
        MILLRACE_TRY(made.allow(path));
    }
    return made.release();
}

MillraceSandbox Sandbox::child(const Descriptor& list, const OwnUser* user) const {
    MillraceSandbox child{};
    if (has_view_) child.mounts = host_->view().mounts.get();
    if (has_network_) child.network = host_->view().network.get();
    if (list.is_open()) child.list = list.get();
    if (user != nullptr) child.user = user->id();
    child.gives_up_rights = 1;
    child.calls = host_->calls(sockets_);
    return child;
}

spec::Limits Sandbox::limits(spec::Limits given) const {
    if (given.file_bytes == 0) given.file_bytes = disk_bytes_;
    if (given.processes == 0 && has_users_) given.processes = kProcessesMax;  // they count for a user, and nobody else is this one
    return given;
}

std::string passable_path(const std::string& path) {
    std::string kept;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        const std::string folder = path.substr(start, end - start);
        if (!folder.starts_with('/') || first_private_folder(folder + "/program").empty()) kept += (kept.empty() ? "" : ":") + folder;
        start = end + 1;
    }
    return kept;
}

}  // namespace millrace::runtime
