// A filter's program that was loaded once and stands right before its main: each object gets a fork of it, which is a child
// of ours as spawn() makes them. `runtime/FORKSERVER.md` says how, and what is different from a spawned child.
//
// One executor. The program and its children die with the thread that start() ran on.
#pragma once
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>

#include "core/descriptor.h"
#include "core/task.h"
#include "runtime/child_list.h"
#include "runtime/fork_protocol.h"
#include "runtime/spawn.h"

namespace millrace::runtime {

// The last variables of a filter's environment belong to the object: MILLRACE_BUCKET, MILLRACE_OBJECT, MILLRACE_ARGS, and, as each
// run has a folder of its own, TMPDIR and HOME.
inline constexpr std::size_t kObjectVariables = 5;

class ForkServer {
public:
    // Loads the program, and returns when it can fork or with why it cannot: "it starts threads before main".
    static Task<Result<std::unique_ptr<ForkServer>>> start(const SpawnRequest& request, const std::string& library, ChildList& children,
                                                           Executor executor);
    ~ForkServer();
    ForkServer(const ForkServer&) = delete;

    // The same result as spawn(), for a request that differs from that of start() in descriptors, folder, mark, list of the sandbox
    // and object variables only, and has descriptors. nullopt: there is no child, and main has not begun; it may be spawned instead.
    Task<std::optional<Result<Child>>> fork(const SpawnRequest& request);

    // False once it has died or did not answer: it never comes back.
    bool is_usable() const { return usable_; }
    // True when it has lived long or the program's file is another one by now. A filter whose libraries were replaced, or that
    // took numbers at random before main, goes on with the new ones soon.
    bool is_outdated() const;

private:
    ForkServer(const SpawnRequest& request, ChildList& children, Executor executor);
    Result<void> load(const SpawnRequest& request, const std::string& library);
    Task<Result<void>> hear_hello();
    bool send(const SpawnRequest& request, int reply_fd);
    Task<bool> receive(int fd, MillraceForkReply& reply);
    void end();

    const std::string file_;
    struct stat identity_ {};
    const Instant started_ = steady_now();
    ChildList& children_;
    Executor executor_;
    Descriptor control_;
    Descriptor output_;  // what the program wrote before main
    std::optional<Child> program_;
    bool usable_ = false;
};

}  // namespace millrace::runtime
