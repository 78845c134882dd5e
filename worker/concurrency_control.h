// How many objects run at once: climbs while that brings throughput, falls back when it does not, halves on overload.
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
    void decide(Instant now);

    std::uint32_t floor_;
    std::uint32_t ceiling_;
    std::uint32_t limit_;
    int step_ = 1;                 // direction of the last change
    double last_rate_ = 0;         // objects per second before it
    std::uint64_t completed_ = 0;  // since measure_start_
    Instant measure_start_{};
    Instant calm_until_{};         // no second halving before
};

}  // namespace millrace::worker
