#include "core/loop.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <pthread.h>

#include "core/check.h"

namespace millrace {
namespace {

constexpr auto kLookForCancellation = milliseconds(50);

// A task that runs on a pool, as whoever waits for it sees it.
struct Away {
    Away(const Executor& here, boost::asio::thread_pool::executor_type pool) : ended(here), strand(boost::asio::make_strand(pool)) {}
    void cancel() {
        if (!is_over) signal.emit(boost::asio::cancellation_type::terminal);
    }

    Event ended;  // set where it is waited for, after the failure
    boost::asio::strand<boost::asio::thread_pool::executor_type> strand;
    bool is_over = false;  // used on the strand only, like the signal
    boost::asio::cancellation_signal signal;
    std::exception_ptr failure;
};

Task<void> run_quietly(std::function<Task<void>()> make) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await make();
}

}  // namespace

Loop::Loop(const std::string& name) : running_(std::make_unique<Running>()), executor_(running_->context.get_executor()) {
    thread_ = std::thread([context = &running_->context] { context->run(); });
    pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

Loop::Loop(Executor simulated) : executor_(std::move(simulated)) {}

Loop::~Loop() {
    if (!running_) return;
    MILLRACE_CHECK(!runs_here());
    running_->guard.reset();
    running_->context.stop();
    thread_.join();
}

Task<void> run_there(Executor executor, std::function<Task<void>()> make) {
    auto uncancelled = boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(), boost::asio::use_awaitable);
    co_await boost::asio::co_spawn(executor, std::move(make), std::move(uncancelled));
}

Task<void> call_in_task(const std::function<void()>& call) {
    call();
    co_return;
}

void Loop::post(std::function<void()> work) { boost::asio::post(executor_, std::move(work)); }

// Asio 1.81 forwards a cancellation to another executor through a pointer that may be gone: so whoever waits passes it on.
Task<void> BlockingPool::run_to_end(std::function<Task<void>()> make) {
    if (!pool_) {
        co_await sleep_for(simulated_());
        co_return co_await make();
    }
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const Executor here = co_await boost::asio::this_coro::executor;
    const auto away = std::make_shared<Away>(here, pool_->get_executor());
    auto ended = [away, here](const std::exception_ptr& failure) {
        away->is_over = true;
        boost::asio::post(here, [away, failure] {
            away->failure = failure;
            away->ended.set();
        });
    };
    boost::asio::co_spawn(away->strand, run_quietly(std::move(make)), boost::asio::bind_cancellation_slot(away->signal.slot(), std::move(ended)));
    while (!co_await away->ended.wait_until(steady_now() + kLookForCancellation)) {
        // From the strand, as the task's waits are there; again and again, as a wait that begins after it is not ended by it.
        if (co_await is_cancelled()) boost::asio::post(away->strand, [away] { away->cancel(); });
    }
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    if (away->failure) std::rethrow_exception(away->failure);
}

}  // namespace millrace
