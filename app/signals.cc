#include "app/signals.h"

#include <csignal>
#include <ctime>

namespace millrace::app {
namespace {

sigset_t stop_signals(bool children) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    if (children) sigaddset(&set, SIGCHLD);
    return set;
}

}  // namespace

void block_stop_signals() {
    const sigset_t set = stop_signals(true);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int wait_for_signal(Duration patience, bool children) {
    const sigset_t set = stop_signals(children);
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(patience).count();
    timespec timeout{};
    timeout.tv_sec = nanoseconds / 1'000'000'000;
    timeout.tv_nsec = nanoseconds % 1'000'000'000;
    const int signal = sigtimedwait(&set, nullptr, &timeout);
    return signal > 0 ? signal : 0;
}

}  // namespace millrace::app
