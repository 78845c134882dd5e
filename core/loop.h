// A thread with an event loop, moving work between loops, and a pool for calls that block.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>

#include "core/task.h"

namespace millrace {

// One thread running one io_context. Destroying it stops the loop and joins the thread: join the task groups first.
class Loop {
public:
    explicit Loop(const std::string& name);  // the thread's name, 15 bytes are shown
    // Without a thread: of a simulated process, whose world runs its executor.
    explicit Loop(Executor simulated);
    ~Loop();
    Loop(const Loop&) = delete;

    const Executor& executor() const { return executor_; }
    void post(std::function<void()> work);
    bool runs_here() const { return std::this_thread::get_id() == thread_.get_id(); }

private:
    struct Running {
        boost::asio::io_context context{1};
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{context.get_executor()};
    };
    std::unique_ptr<Running> running_;  // null without a thread
    Executor executor_;
    std::thread thread_;
};

// Runs make() on the other executor and resumes here when it has ended. Not ended by a cancellation: it uses what the caller holds.
// The machinery of Asio is compiled once, in loop.cc, not for each call of what follows.
Task<void> run_there(Executor executor, std::function<Task<void>()> make);

// What the two below are made of.
Task<void> call_in_task(const std::function<void()>& call);
template <class MakeTask, class T>
Task<void> keep_result(MakeTask& make_task, std::optional<T>& result) {
    result.emplace(co_await make_task());
}

// Runs make_task(), which gives a Task<T>, on the other executor and resumes here with its result. As run_there().
template <class MakeTask>
auto run_on(Executor executor, MakeTask make_task) -> std::invoke_result_t<MakeTask> {
    using T = typename std::invoke_result_t<MakeTask>::value_type;
    if constexpr (std::is_void_v<T>) {
        std::function<Task<void>()> make = [&] { return make_task(); };
        co_await run_there(std::move(executor), std::move(make));
    } else {
        std::optional<T> result;
        std::function<Task<void>()> make = [&] { return keep_result(make_task, result); };
        co_await run_there(std::move(executor), std::move(make));
        co_return *std::move(result);
    }
}

// Calls f() on the other executor and resumes here with its result. As run_there().
template <class F>
auto call_on(Executor executor, F f) -> Task<std::invoke_result_t<F>> {
    using T = std::invoke_result_t<F>;
    std::function<void()> call;
    std::function<Task<void>()> make = [&] { return call_in_task(call); };
    if constexpr (std::is_void_v<T>) {
        call = [&] { f(); };
        co_await run_there(std::move(executor), std::move(make));
    } else {
        std::optional<T> result;
        call = [&] { result.emplace(f()); };
        co_await run_there(std::move(executor), std::move(make));
        co_return *std::move(result);
    }
}

// Threads for calls that block for milliseconds: syncs, scans, waiting for a process. co_await pool.run(f).
class BlockingPool {
public:
    explicit BlockingPool(std::size_t threads) : pool_(std::in_place, threads) {}
    // Without threads: of a simulated process, where a call takes as long as it is told.
    explicit BlockingPool(std::function<Duration()> simulated) : simulated_(std::move(simulated)) {}
    ~BlockingPool() {
        if (pool_) pool_->join();
    }

    template <class F>
    auto run(F f) -> Task<std::invoke_result_t<F>> {
        if (pool_) return call_on(pool_->get_executor(), std::move(f));
        return run_simulated(simulated_(), std::move(f));
    }

    // Runs the task that make_task() makes there, and resumes here with its result. For one that computes for long, and may wait
    // besides: a cancellation of the caller reaches its waits, which must not throw, and it is waited for whatever happens.
    template <class MakeTask>
    auto run_task(MakeTask make_task) -> std::invoke_result_t<MakeTask> {
        std::optional<typename std::invoke_result_t<MakeTask>::value_type> result;
        std::function<Task<void>()> make = [&] { return keep_result(make_task, result); };
        co_await run_to_end(std::move(make));
        co_return *std::move(result);
    }

private:
    Task<void> run_to_end(std::function<Task<void>()> make);

    template <class F>
    static auto run_simulated(Duration takes, F f) -> Task<std::invoke_result_t<F>> {
        co_await sleep_for(takes);
        co_return f();
    }

    std::optional<boost::asio::thread_pool> pool_;
    std::function<Duration()> simulated_;
};

// Runs a task to its end on a loop and waits for it. Not from a loop's own thread.
template <class T>
T run_blocking(Loop& loop, Task<T> task) {
    return boost::asio::co_spawn(loop.executor(), std::move(task), boost::asio::use_future).get();
}
}  // namespace millrace
