#include "core/loop.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

#include "core/check.h"

namespace millrace {

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

}  // namespace millrace
