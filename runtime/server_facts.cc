#include "runtime/server_facts.h"

#include <utility>

namespace millrace::runtime {
namespace {
constexpr Duration kVerdictTimeMax = std::chrono::seconds(8);
}

void ServerFacts::set_dying() {
    {
        const std::lock_guard lock(mutex_);
        dying_ = true;
    }
    changes_.notify();
}

bool ServerFacts::has_ended() const {
    const std::lock_guard lock(mutex_);
    return dying_ || death_;
}

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
    Instant until = steady_now() + wait_max;
    for (bool extended = false;;) {
        const std::uint64_t seen = changes_.version();
        if (auto known = death()) co_return known;
        if (has_ended() && !std::exchange(extended, true)) until = steady_now() + kVerdictTimeMax;
        if (steady_now() >= until) co_return std::nullopt;
        co_await changes_.wait(seen, until);
    }
}

}  // namespace millrace::runtime
