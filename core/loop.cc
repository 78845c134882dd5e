#include "core/loop.h"

#include <boost/asio/post.hpp>
#include <pthread.h>

#include "core/check.h"

namespace millrace {

Loop::Loop(const std::string& name) : guard_(context_.get_executor()) {
    thread_ = std::thread([this] { context_.run(); });
    pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

Loop::~Loop() {
    MILLRACE_CHECK(!runs_here());
    guard_.reset();
    context_.stop();
    thread_.join();
}

void Loop::post(std::function<void()> work) { boost::asio::post(context_, std::move(work)); }

}  // namespace millrace
