#include "core/task.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "core/check.h"
#include "core/log.h"

namespace millrace {
namespace asio = boost::asio;

namespace {

// Ends the wait of a timer at that time. A simulated clock does not move by itself, so its alarm does it there.
class TimerAlarm {
public:
    TimerAlarm(asio::steady_timer& timer, Instant when) {
        SimulatedWorld* const world = simulated_world();
        timer.expires_at(world == nullptr ? when : Instant::max());
        if (world != nullptr) number_ = world->set_alarm(when, [&timer] { timer.cancel(); });
    }
    ~TimerAlarm() {
        if (simulated_world() != nullptr) simulated_world()->drop_alarm(number_);
    }
    TimerAlarm(const TimerAlarm&) = delete;

private:
    std::uint64_t number_ = 0;
};

}  // namespace

Event::Event(Executor executor) : executor_(std::move(executor)) {}

void Event::set() {
    set_ = true;
    for (asio::steady_timer* waiter : waiters_) waiter->cancel();
}

Task<bool> Event::wait_until(Instant deadline) {
    if (set_ || steady_now() >= deadline) co_return set_;
    asio::steady_timer timer(executor_);
    const TimerAlarm alarm(timer, deadline);
    const auto self = waiters_.insert(waiters_.end(), &timer);
    (void)co_await timer.async_wait(use_tuple);
    waiters_.erase(self);
    co_return set_;
}

Task<void> sleep_until(Instant when) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const TimerAlarm alarm(timer, when);
    (void)co_await timer.async_wait(use_tuple);
}

Task<void> sleep_for(Duration duration) { return sleep_until(steady_now() + duration); }

Task<void> next_turn() { co_await boost::asio::post(boost::asio::use_awaitable); }

Task<bool> is_cancelled() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

TaskGroup::TaskGroup(Executor executor) : executor_(std::move(executor)), empty_(executor_) { empty_.set(); }

TaskGroup::~TaskGroup() { MILLRACE_CHECK(running_.empty()); }

void TaskGroup::spawn(Task<void> task) {
    running_.emplace_back();
    const auto self = std::prev(running_.end());
    empty_.clear();
    const auto done = [this, self](std::exception_ptr failure) {
        if (failure) {
            try {
                std::rethrow_exception(failure);
            } catch (const boost::system::system_error& error) {
                if (error.code() != asio::error::operation_aborted) {
                    log::error("task ended by an exception", {{"what", error.what()}});
                    std::terminate();
                }
            } catch (const std::exception& error) {
                log::error("task ended by an exception", {{"what", error.what()}});
                std::terminate();
            }
        }
        running_.erase(self);
        if (running_.empty()) empty_.set();
    };
    asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(self->slot(), done));
}

void TaskGroup::cancel() {
    for (auto signal = running_.begin(); signal != running_.end();) {
        (signal++)->emit(asio::cancellation_type::terminal);
    }
}

Task<void> TaskGroup::wait(Instant deadline) { (void)co_await empty_.wait_until(deadline); }

Task<void> TaskGroup::join() {
    while (!running_.empty()) (void)co_await empty_.wait_until(steady_now() + std::chrono::hours(1));
}

}  // namespace millrace
