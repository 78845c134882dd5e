// Starts the children of a filter on one lane: as forks of a loaded program where that is wanted and works, else spawned.
//
// One executor. The program is loaded when it is first wanted, and again when it died or is outdated; after some failures in a
// row all lanes of the filter spawn.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "runtime/filter_processes.h"
#include "runtime/fork_server.h"
#include "runtime/run_folder.h"

namespace millrace::runtime {

// What the lanes of a filter share.
struct Forking {
    std::string transform;            // its name, for the log
    std::string library;              // see find_fork_library
    std::atomic<bool> wanted{false};
};

class FilterLauncher {
public:
    // spawned, forked: the folders that children work in, by how they are wanted; the latter of one user.
    FilterLauncher(Forking& forking, FilterProcesses& processes, RunFolders& spawned, RunFolders& forked, Executor executor)
        : forking_(forking), processes_(processes), spawned_(spawned), forked_(forked), executor_(executor) {}

    // The result of spawn(), whichever way it was. The last kObjectVariables of the environment are the object's. folders: those that the
    // request's is one of; meanwhile others may be wanted.
    Task<Result<Child>> launch(const SpawnRequest& request, const RunFolders& folders);

    FilterProcesses& processes() const { return processes_; }
    RunFolders& folders() const { return forking_.wanted ? forked_ : spawned_; }  // for the next child
    const Executor& executor() const { return executor_; }
    std::uint64_t forks() const { return forks_; }         // children that were not spawned
    const std::string& last_failure() const { return last_failure_; }  // why one could not be forked

private:
    Task<std::shared_ptr<ForkServer>> loaded(const SpawnRequest& request);
    void note_failure(std::string why);

    Forking& forking_;
    FilterProcesses& processes_;
    RunFolders& spawned_;
    RunFolders& forked_;
    Executor executor_;
    std::shared_ptr<ForkServer> server_;  // a run may still use one that was replaced
    bool loading_ = false;
    int failures_ = 0;                    // in a row
    std::string last_failure_;
    std::uint64_t forks_ = 0;
};

}  // namespace millrace::runtime
