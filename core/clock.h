// Time: a monotonic instant for decisions (pure machines are handed `now`), wall-clock nanoseconds for records.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using std::chrono::milliseconds;

// Time and chance of a process that lives in a simulation. The process has one thread then.
class SimulatedWorld {
public:
    virtual ~SimulatedWorld() = default;
    virtual Instant now() const = 0;
    virtual std::int64_t unix_now_ns() const = 0;
    virtual std::uint64_t random_number() = 0;
    // Calls ring() once, at that time or later, unless the alarm was dropped before. Its number.
    virtual std::uint64_t set_alarm(Instant when, std::function<void()> ring) = 0;
    virtual void drop_alarm(std::uint64_t number) = 0;
};

namespace detail {
inline SimulatedWorld* simulated_world = nullptr;
}
// nullptr, as always outside of simulations: the world is real.
inline SimulatedWorld* simulated_world() { return detail::simulated_world; }
// Before anything asks for the time.
inline void live_in(SimulatedWorld* world) { detail::simulated_world = world; }

inline Instant steady_now() { return simulated_world() == nullptr ? std::chrono::steady_clock::now() : simulated_world()->now(); }

// Nanoseconds since 1970, UTC.
std::int64_t unix_now_ns();
// RFC 3339 with milliseconds in UTC, e.g. "2026-01-31T23:59:59.123Z"; "" for 0.
std::string rfc3339(std::int64_t unix_ns);

}  // namespace millrace
