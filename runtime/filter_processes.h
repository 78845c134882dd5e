// What the lanes of a filter share about its processes and folders. Any thread.
#pragma once
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "runtime/child_list.h"
#include "runtime/run_mark.h"

namespace millrace::runtime {

// Runs that are over, but left processes that live on in sessions of their own. Those may serve the runs beside them, as the agent of
// gpg does, and end with the last of these.
class Stragglers {
public:
    // How many there are.
    std::size_t add(Mark run) {
        const std::lock_guard lock(mutex_);
        runs_.insert(run);
        return runs_.size();
    }
    // Forgets those of which nothing lives any more; how many are left.
    std::size_t prune() {
        const std::lock_guard lock(mutex_);
        runs_ = living(runs_);
        return runs_.size();
    }
    std::set<Mark> take_all() {
        const std::lock_guard lock(mutex_);
        return std::exchange(runs_, {});
    }

private:
    std::mutex mutex_;
    std::set<Mark> runs_;  // guarded by mutex_
};

struct FilterProcesses {
    explicit FilterProcesses(const std::string& realm_folder) : marks(realm_folder) {}

    ChildList children;
    Marks marks;
    Stragglers stragglers;
};

}  // namespace millrace::runtime
