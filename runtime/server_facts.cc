#include "runtime/server_facts.h"

namespace millrace::runtime {

void ServerFacts::set_death(std::string how) {
    {
        const std::lock_guard lock(mutex_);
        death_ = std::move(how);
    }
    changes_.notify();
}

std::optional<std::string> ServerFacts::death() const {
    const std::lock_guard lock(mutex_);
    return death_;
}

Task<std::optional<std::string>> ServerFacts::wait_death(Duration wait_max) {
    const std::uint64_t seen = changes_.version();
    if (!death()) co_await changes_.wait(seen, steady_now() + wait_max);
    co_return death();
}

}  // namespace millrace::runtime
