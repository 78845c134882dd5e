// How fast a slice goes, and how long it still needs. Pure.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>

#include "core/clock.h"

namespace millrace::scheduler {

// Rates over a sliding window of about ten seconds.
class ProgressRate {
public:
    void observe(std::uint64_t settled_objects, std::uint64_t bytes_in, Instant now);
    double objects_per_second() const;
    double bytes_per_second() const;
    // Seconds until the rest is done, by objects and by bytes, whichever is longer; nullopt until there is a rate.
    std::optional<double> seconds_left(std::uint64_t objects_left, std::uint64_t bytes_left) const;

private:
    struct Sample {
        Instant at;
        std::uint64_t objects;
        std::uint64_t bytes;
    };
    double rate(std::uint64_t Sample::*member) const;
    std::deque<Sample> samples_;
};

}  // namespace millrace::scheduler
