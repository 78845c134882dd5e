// Wakes tasks on any executors when something they look at may have changed: a condition variable for coroutines.
//
//     const auto seen = changes.version();
//     if (!condition()) co_await changes.wait(seen, deadline);   // then look again
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "core/task.h"

namespace millrace::runtime {

// Any thread.
class Broadcast {
public:
    std::uint64_t version() const;
    // Call after the change.
    void notify();
    // Returns once notify() was called after `seen` was read, or when the deadline passed or the task was cancelled.
    Task<void> wait(std::uint64_t seen, Instant deadline);

private:
    struct Waiter {
        Executor executor;
        std::shared_ptr<Event> event;
    };
    mutable std::mutex mutex_;
    std::uint64_t version_ = 0;   // guarded by mutex_
    std::list<Waiter> waiters_;   // guarded by mutex_
};

}  // namespace millrace::runtime
