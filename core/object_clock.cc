#include "core/object_clock.h"

#include <algorithm>

namespace millrace {
namespace {
constexpr int kTotalFactor = 10;
constexpr Duration kLookAgain = milliseconds(100);  // while it stands still
}  // namespace

void ObjectClock::restart(Instant now) {
    used_ = {};
    running_since_ = silent_since_ = now;
}

void ObjectClock::took(std::uint64_t bytes, Instant now) {
    taken_ += bytes;
    silent_since_ = now;
}

void ObjectClock::gave(std::uint64_t bytes, Instant now) {
    given_ += bytes;
    silent_since_ = now;
}

void ObjectClock::pause(Instant now) {
    if (waits_++ == 0) used_ += now - running_since_;
}

void ObjectClock::resume(Instant now) {
    if (--waits_ == 0) running_since_ = silent_since_ = now;
}

Duration ObjectClock::allowed() const { return allowed_ + milliseconds(taken_ * 1000 >> 20); }

Instant ObjectClock::deadline(Instant now) const {
    const Duration silence = allowed();
    const Duration in_all = std::max(kTotalFactor * silence - used_, Duration::zero());
    if (waits_ > 0) return now + std::max(std::min(silence, in_all), kLookAgain);
    return std::min(silent_since_ + silence, running_since_ + in_all);
}

}  // namespace millrace
