// What the sandboxes of a target share: what this kernel and this user can do, found out by trying, and what is made once for all of them.
//
// Made when the target starts and its run folder is there; then it does not change. Any thread.
#pragma once
#include <linux/filter.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/child_setup.h"
#include "runtime/confined_threads.h"
#include "runtime/landlock.h"
#include "runtime/sandbox_view.h"
#include "runtime/system_calls.h"
#include "runtime/user_range.h"

namespace millrace::runtime {

class SandboxHost {
public:
    // run_folder: where the instances of transforms have theirs; it is opened for others to pass, and those above need not be.
    // guarded: folders that no sandbox opens. Never fails: what cannot be is said by problems().
    static std::shared_ptr<SandboxHost> make(const std::string& run_folder, std::vector<std::string> guarded);

    int landlock() const { return landlock_; }  // the ABI; 0: there is none
    bool has_view() const { return view_.mounts.is_open(); }
    bool has_users() const { return has_users_; }
    bool refuses_calls() const { return refuses_calls_; }
    // What could not be had and why, in words.
    const std::vector<std::string>& problems() const { return problems_; }

    const SandboxView& view() const { return view_; }
    UserRange& users() const { return users_; }
    // What every program may read: of the system, and nothing that only some users are to see.
    const std::vector<ListedPath>& system_paths() const { return system_paths_; }
    // Of /etc: for a user of its own, and for the target's.
    const std::vector<ListedPath>& settings(bool is_own_user) const { return is_own_user ? all_settings_ : some_settings_; }
    bool is_of_system(const std::string& file) const;
    const sock_fprog* calls(Sockets left) const;
    // In which children of such a sandbox can be born; null: it is one of few children, such as servers.
    ConfinedThreads* threads(const MillraceSandbox& sandbox) const;
    // The guarded folder that lies in there, or that this lies in; empty: none.
    std::string guarded_by(const std::string& path) const;

private:
    explicit SandboxHost(const std::string& run_folder);
    void find_view(const std::string& run_folder);
    void make_calls();
    void list_system();
    void list_settings();
    void try_all();
    void make_threads();
    MillraceSandbox everything() const;

    struct Program {
        std::vector<sock_filter> code;
        sock_fprog header{};
    };

    int landlock_ = 0;
    bool has_users_ = false;
    bool refuses_calls_ = false;
    std::vector<std::string> problems_;
    std::vector<std::string> guarded_;
    SandboxView view_;
    mutable UserRange users_;
    std::vector<ListedPath> system_paths_;
    std::vector<ListedPath> all_settings_;
    std::vector<ListedPath> some_settings_;
    Program local_calls_;
    Program internet_calls_;
    std::vector<std::unique_ptr<ConfinedThreads>> threads_;  // of filters, without a network and with that of the machine
};

}  // namespace millrace::runtime
