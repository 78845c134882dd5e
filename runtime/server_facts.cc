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

void ServerFacts::set_death(std::string how, bool in_order) {
    {
        const std::lock_guard lock(mutex_);
        death_ = std::move(how);
        ended_in_order_ = in_order;
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

Task<std::optional<std::string>> ServerFacts::why_not_whole(std::uint64_t before) {
    const pid_t pid = processes.root();
    if (has_ended() || pid == 0 || is_ending(pid)) {
        const auto how = co_await wait_death(pid == 0 ? kDeathNewsMax : kVerdictTimeMax);
        const std::lock_guard lock(mutex_);
        if (how && !ended_in_order_) co_return how;
        if (how) co_return std::nullopt;
        if (pid != 0) co_return "it was ending, and how is not known";
    }
    co_return co_await processes.broke_off_since(before);
}

}  // namespace millrace::runtime
