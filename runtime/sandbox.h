// What keeps the processes of one transform to themselves (`runtime/SANDBOX.md`): made once, and entered by each child.
//
// A run of a filter, and a life of a server, has folders, and a user, of its own: those are the caller's. Any thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/sandbox_host.h"
#include "spec/transform_spec.h"

namespace millrace::runtime {

// A user that nobody else is while this lives.
class OwnUser {
public:
    OwnUser(std::shared_ptr<const SandboxHost> host, uid_t id) : host_(std::move(host)), id_(id) {}
    ~OwnUser() { host_->users().give_back(id_); }
    OwnUser(const OwnUser&) = delete;
    uid_t id() const { return id_; }

private:
    std::shared_ptr<const SandboxHost> host_;
    uid_t id_;
};

// What a sandbox has to open beside what its specification names.
struct SandboxNeeds {
    std::string program;                 // its file
    std::string library;                 // that is preloaded; may be empty
    std::vector<std::string> objects{};  // folders of objects, for a server that reads them by path
    bool serves_tcp = false;             // and, or, asks its target by TCP
};

class Sandbox {
public:
    // null: `sandbox: off`, or host is null. Code::invalid_argument when the specification opens what no sandbox opens, Code::not_found and
    // Code::permission when there is no such path or another user cannot get there; with what to do.
    static Result<std::shared_ptr<const Sandbox>> make(std::shared_ptr<const SandboxHost> host, const spec::TransformSpec& spec, const SandboxNeeds& needs);

    // null where its processes are the target's own user.
    Result<std::shared_ptr<const OwnUser>> new_user() const;
    // Gives a folder of ours to that user; null: nothing is to be done.
    static Result<void> hand_over(const std::string& folder, const OwnUser* user);
    // What a child enters that may write into these folders, and what the specification names; closed where there is no Landlock.
    Result<Descriptor> list(const std::vector<std::string>& folders) const;
    MillraceSandbox child(const Descriptor& list, const OwnUser* user) const;
    ConfinedThreads* threads(const MillraceSandbox& child) const { return host_->threads(child); }
    spec::Limits limits(spec::Limits given) const;

    bool has_users() const { return has_users_; }
    // Its servers and it are in a network of their own.
    bool has_network_of_its_own() const { return has_network_; }
    std::uint64_t disk_bytes() const { return disk_bytes_; }
    // "landlock 7, seccomp, own uid, no network", and what of it this kernel or this target cannot do.
    const std::string& in_force() const { return in_force_; }
    const std::string& lacks() const { return lacks_; }

private:
    Sandbox(std::shared_ptr<const SandboxHost> host, const spec::TransformSpec& spec, const SandboxNeeds& needs);
    Result<void> open(const std::string& key, const std::string& path, FileAccess access);
    void open_program(const std::string& file);
    void describe(const spec::TransformSpec& spec, const SandboxNeeds& needs);

    const std::shared_ptr<const SandboxHost> host_;
    std::vector<ListedPath> paths_;
    bool has_users_ = false;
    bool has_view_ = false;
    bool has_network_ = false;
    bool closes_tcp_ = false;
    Sockets sockets_ = Sockets::internet;
    std::uint64_t disk_bytes_ = 0;
    std::string in_force_;
    std::string lacks_;
};

// Of PATH, the folders that another user gets to.
std::string passable_path(const std::string& path);

}  // namespace millrace::runtime
