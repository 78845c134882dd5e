// Simulated time: a queue of events in one thread, the random source, and a trace of what happened last.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "core/clock.h"
#include "tests/sim/random.h"

namespace millrace::sim {

// An invariant of the system does not hold.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class World {
public:
    explicit World(std::uint64_t seed) : random_(seed) {}

    Instant now() const { return now_; }
    std::int64_t unix_now_ns() const { return 1'700'000'000'000'000'000 + now_.time_since_epoch().count(); }
    Random& random() { return random_; }

    void after(Duration delay, std::function<void()> action);
    // Runs the next event. False when there is none.
    bool step();

    // Kept for the report of a failure, newest last.
    void trace(const std::string& what);
    std::string recent() const;
    // Printed only when every event is.
    void detail(const std::function<std::string()>& what);

private:
    struct Order {
        Instant at;
        std::uint64_t number;
        auto operator<=>(const Order&) const = default;
    };

    Random random_;
    Instant now_ = Instant{} + std::chrono::hours(1);
    std::uint64_t events_ = 0;
    std::map<Order, std::function<void()>> queue_;
    std::deque<std::string> trace_;
};

}  // namespace millrace::sim
