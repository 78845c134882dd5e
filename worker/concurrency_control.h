// How many objects run at once: doubles while that pays, then falls by small steps and climbs again, and halves on overload.
// Pure: handed the time.
#pragma once
#include <cstdint>

#include "core/clock.h"

namespace millrace::worker {

class ConcurrencyControl {
public:
    // Starts at `start` and stays within [floor, ceiling]; fixed when floor == ceiling.
    ConcurrencyControl(std::uint32_t floor, std::uint32_t start, std::uint32_t ceiling);

    std::uint32_t limit() const { return limit_; }
    void succeeded(Instant now);
    // The transform was overloaded or timed out.
    void overloaded(Instant now);

private:
    enum class Phase { doubling, climbing, falling };

    void decide(Instant now);
    void take_step();

    std::uint32_t floor_;
    std::uint32_t ceiling_;
    std::uint32_t limit_;
    Phase phase_ = Phase::doubling;
    bool doubted_ = false;         // the last doubling did not seem to pay: measured once more
    std::uint32_t last_limit_;     // before the last change
    double last_rate_ = 0;         // objects per second with it
    std::uint32_t best_limit_;     // lately
    double best_rate_ = 0;
    std::uint64_t completed_ = 0;  // since measure_start_
    Instant measure_start_{};
    Instant calm_until_{};         // no second halving before
};

}  // namespace millrace::worker
