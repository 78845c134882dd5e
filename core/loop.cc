#include "core/loop.h"

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

void Loop::post(std::function<void()> work) { boost::asio::post(executor_, std::move(work)); }

}  // namespace millrace
