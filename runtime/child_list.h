// The children of all runs of a transform, so that stop() can end them from another thread. Any thread.
#pragma once
#include <signal.h>

#include <mutex>
#include <set>

namespace millrace::runtime {

class ChildList {
public:
    // False after close(): the child must not go on.
    bool add(pid_t pid) {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        pids_.insert(pid);
        return true;
    }
    // Call before the child is reaped: until then its process id cannot belong to anybody else.
    void remove(pid_t pid) {
        const std::lock_guard lock(mutex_);
        pids_.erase(pid);
    }
    // Sends the signal to the process group of each, and refuses those to come.
    void close(int signal) {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        for (const pid_t pid : pids_) {
            ::kill(-pid, signal);
            ::kill(-pid, SIGCONT);  // one that is suspended hears nothing else
        }
    }
    bool is_closed() const {
        const std::lock_guard lock(mutex_);
        return closed_;
    }

private:
    mutable std::mutex mutex_;
    std::set<pid_t> pids_;  // guarded by mutex_
    bool closed_ = false;   // guarded by mutex_
};

}  // namespace millrace::runtime
