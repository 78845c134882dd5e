#include "runtime/broadcast.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace millrace::runtime {

std::uint64_t Broadcast::version() const {
    const std::lock_guard lock(mutex_);
    return version_;
}

void Broadcast::notify() {
    std::list<Waiter> woken;
    {
        const std::lock_guard lock(mutex_);
        ++version_;
        woken.swap(waiters_);
    }
    for (Waiter& waiter : woken) {
        boost::asio::post(waiter.executor, [event = std::move(waiter.event)] { event->set(); });
    }
}

Task<void> Broadcast::wait(std::uint64_t seen, Instant deadline) {
    Executor executor = co_await boost::asio::this_coro::executor;
    const auto event = std::make_shared<Event>(executor);
    {
        const std::lock_guard lock(mutex_);
        if (version_ != seen) co_return;
        waiters_.push_back({executor, event});
    }
    // Also when the wait ends by an exception, as it does in a task that was cancelled before.
    const std::shared_ptr<void> leave(nullptr, [&](void*) {
        const std::lock_guard lock(mutex_);
        waiters_.remove_if([&](const Waiter& waiter) { return waiter.event == event; });
    });
    (void)co_await event->wait_until(deadline);
}

}  // namespace millrace::runtime
