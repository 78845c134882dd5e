// The time that a transform has for one object. It runs while the transform has the object and moves nothing of it: each byte that
// it takes or gives lets it begin anew, and it stands still while others are waited for (whoever reads the result, wherever the
// object comes from). What was taken may be thought about in silence: a second more for each mebibyte. What moves for ever and
// comes to no end is bounded by ten times as much.
//
// Pure: handed the time. One executor.
#pragma once
#include <cstdint>

#include "core/clock.h"

namespace millrace {

class ObjectClock {
public:
    // allowed: the object timeout.
    ObjectClock(Duration allowed, Instant now) : allowed_(allowed), running_since_(now), silent_since_(now) {}

    // What was before does not count: waiting for a turn.
    void restart(Instant now);
    // The transform has so many bytes more of the object, or has given so many of its result.
    void took(std::uint64_t bytes, Instant now);
    void gave(std::uint64_t bytes, Instant now);
    // Others are waited for, until as many calls of resume().
    void pause(Instant now);
    void resume(Instant now);

    // When the time is up if nothing happens from now on. Asked again then, it may be later; it is never earlier.
    Instant deadline(Instant now) const;
    // Without a byte moved.
    Duration allowed() const;
    std::uint64_t bytes_taken() const { return taken_; }
    std::uint64_t bytes_given() const { return given_; }

private:
    Duration allowed_;
    std::uint64_t taken_ = 0;
    std::uint64_t given_ = 0;
    Duration used_{};        // before running_since_
    Instant running_since_;
    Instant silent_since_;
    int waits_ = 0;
};

// Pauses a clock for a scope.
class ObjectClockPause {
public:
    explicit ObjectClockPause(ObjectClock& clock) : clock_(clock) { clock_.pause(steady_now()); }
    ~ObjectClockPause() { clock_.resume(steady_now()); }
    ObjectClockPause(const ObjectClockPause&) = delete;

private:
    ObjectClock& clock_;
};

}  // namespace millrace
