// The simulated world: time that passes only when everything that could run has run, chance from one seed, and a trace of what happened
// last. All processes of the simulation share its thread and its executor.
#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "core/clock.h"
#include "core/task.h"
#include "tests/sim/random.h"

namespace millrace::sim {

// An invariant of the system does not hold.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class World final : public SimulatedWorld {
public:
    explicit World(std::uint64_t seed);
    ~World() override;

    Instant now() const override { return now_; }
    std::int64_t unix_now_ns() const override { return 1'700'000'000'000'000'000 + (now_ + clock_jump_).time_since_epoch().count(); }
    std::uint64_t random_number() override { return random_.below(UINT64_MAX); }
    std::uint64_t set_alarm(Instant when, std::function<void()> ring) override;
    void drop_alarm(std::uint64_t number) override;

    Random& random() { return random_; }
    Executor executor() { return context_.get_executor(); }
    // Somebody sets the clocks on the walls. What is decided never looks at them.
    void jump(Duration by) { clock_jump_ += by; }

    void after(Duration delay, std::function<void()> action) { (void)set_alarm(now_ + delay, std::move(action)); }
    // Does it where processes run, and whatever that makes ready.
    void act(std::function<void()> action);
    // The next event. False when there is none.
    bool step();
    // Every event of that time from now on.
    void run_for(Duration time);
    // An invariant was found broken by something that cannot throw through what called it; step() throws it.
    void broke(const std::string& what);

    // Kept for the report of a failure, newest last.
    void trace(const std::string& what);
    std::string recent() const;

private:
    struct Order {
        Instant at;
        std::uint64_t number;
        auto operator<=>(const Order&) const = default;
    };
    void run_ready();

    Random random_;
    Instant now_ = Instant{} + std::chrono::hours(1);
    Duration clock_jump_{};
    std::uint64_t alarms_ = 0;
    std::map<Order, std::function<void()>> queue_;
    std::map<std::uint64_t, Instant> pending_;  // when each alarm is due
    std::string broken_;
    std::deque<std::string> trace_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{context_.get_executor()};
};

}  // namespace millrace::sim
