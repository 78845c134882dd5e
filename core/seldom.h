// One word for many events of a kind, so that whoever causes them cannot fill a log. Any thread.
#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "core/clock.h"

namespace millrace {

class Seldom {
public:
    explicit Seldom(Duration pause) : pause_(pause) {}

    // Of an event: how many before it went unsaid, if it is to be said.
    std::optional<std::uint64_t> turn() {
        const std::lock_guard lock(mutex_);
        const Instant now = steady_now();
        if (now < next_) {
            ++unsaid_;
            return std::nullopt;
        }
        next_ = now + pause_;
        return std::exchange(unsaid_, 0);
    }

private:
    const Duration pause_;
    std::mutex mutex_;
    Instant next_{};             // guarded by mutex_
    std::uint64_t unsaid_ = 0;  // guarded by mutex_
};

}  // namespace millrace
