// Coroutines: Task<T>, groups of tasks that are joined, an event to wait on, and sleeping. Built on Asio.
//
// A task runs on one executor from start to end. Keep every argument beside a co_await a name or a call.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "core/clock.h"

namespace millrace {

using Executor = boost::asio::any_io_executor;
template <class T>
using Task = boost::asio::awaitable<T>;
// For an operation of Asio's: its error comes back as a value.
inline constexpr auto use_tuple = boost::asio::as_tuple(boost::asio::use_awaitable);

// Of a wait that is repeated until its event is there.
inline constexpr Duration kWaitStep = std::chrono::minutes(1);

// An event that stays set until cleared. One executor (one thread) only.
class Event {
public:
    explicit Event(Executor executor);
    void set();
    void clear() { set_ = false; }
    bool is_set() const { return set_; }
    // True when set, false when the deadline passed (or the task was cancelled) first.
    Task<bool> wait_until(Instant deadline);

private:
    Executor executor_;
    std::list<boost::asio::steady_timer*> waiters_;  // each lives in the frame of a waiting task
    bool set_ = false;
};

// Returns early, without an error, when the task is cancelled.
Task<void> sleep_for(Duration duration);
Task<void> sleep_until(Instant when);
// Lets what waits for the task's executor run first: between two parts of a computation that never waits for anything.
Task<void> next_turn();

// Whether the running task was cancelled. For loops whose waits go on regardless.
Task<bool> is_cancelled();

// Runs tasks and joins them; nothing in Millrace is detached. One executor (one thread) only.
// An exception that leaves a task ends the process: libraries' exceptions are caught where they are wrapped.
class TaskGroup {
public:
    explicit TaskGroup(Executor executor);
    ~TaskGroup();  // requires that join() has finished or that nothing was spawned

    void spawn(Task<void> task);
    // Asks every running task to stop: its current wait ends with operation_aborted (our waits return).
    void cancel();
    // Waits until every task has ended, those spawned meanwhile included.
    Task<void> join();
    // The same, but also returns at the deadline, or when the waiting task is cancelled.
    Task<void> wait(Instant deadline);
    std::size_t size() const { return running_.size(); }

private:
    Executor executor_;
    std::list<boost::asio::cancellation_signal> running_;
    Event empty_;
};

}  // namespace millrace
