// Several tasks at once, on the executor of the caller, and all of their results.
//
// Cancelling the caller cancels them; it goes on only when every one has ended.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>
#include <vector>

#include "core/task.h"

namespace millrace {

// In the order of the tasks. T must be default-constructible.
template <class T>
Task<std::vector<T>> run_all(std::vector<Task<T>> tasks) {
    namespace asio = boost::asio;
    if (tasks.empty()) co_return std::vector<T>{};
    const Executor executor = co_await asio::this_coro::executor;
    using Operation = decltype(asio::co_spawn(executor, std::move(tasks.front()), asio::deferred));
    std::vector<Operation> operations;
    operations.reserve(tasks.size());
    for (Task<T>& task : tasks) operations.push_back(asio::co_spawn(executor, std::move(task), asio::deferred));
    auto group = asio::experimental::make_parallel_group(std::move(operations));
    auto ended = co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    for (const std::exception_ptr& failure : std::get<1>(ended)) {
        if (failure) std::rethrow_exception(failure);
    }
    co_return std::move(std::get<2>(ended));
}

}  // namespace millrace
