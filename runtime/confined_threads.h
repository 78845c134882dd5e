// Threads that are in a sandbox, so that the children which they make are born in it. For a child by itself, entering what all runs of a
// target share (namespaces, refused system calls) takes longer than everything else before its program.
//
// A thread is started when all others are busy, and lives as long as this does: with it die its children. Any thread.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/child_setup.h"

namespace millrace::runtime {

class ConfinedThreads {
public:
    // shared: its namespaces and system calls, which must live longer; nothing else of it is looked at. most: threads at once.
    ConfinedThreads(const MillraceSandbox& shared, std::size_t most);
    ~ConfinedThreads();

    // Whether they are in what such a sandbox shares with others, and what is then left for a child to enter.
    bool are_in(const MillraceSandbox& sandbox) const;
    static MillraceSandbox left_of(MillraceSandbox sandbox);

    // Runs it on one of the threads, and waits for its end; while all are busy, for one of them. false: there is no such thread to be had,
    // and nothing was run.
    bool run(const std::function<void()>& action);

private:
    class Worker;
    Worker* take();

    const MillraceSandbox shared_;
    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable has_idle_;
    std::vector<std::unique_ptr<Worker>> workers_;  // guarded by mutex_
    std::vector<Worker*> idle_;                     // guarded by mutex_
};

}  // namespace millrace::runtime
