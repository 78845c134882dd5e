#include "worker/concurrency_control.h"

#include <algorithm>

#include "core/check.h"

namespace millrace::worker {
namespace {
constexpr auto kMeasureMin = milliseconds(200);
constexpr auto kCalm = milliseconds(1000);
constexpr double kWorthIt = 1.03;  // a climb must bring at least this much
}  // namespace

ConcurrencyControl::ConcurrencyControl(std::uint32_t floor, std::uint32_t start, std::uint32_t ceiling)
    : floor_(std::max(1u, floor)), ceiling_(std::max(floor_, ceiling)), limit_(std::clamp(start, floor_, ceiling_)) {}

void ConcurrencyControl::succeeded(Instant now) {
    if (measure_start_ == Instant{}) measure_start_ = now;
    ++completed_;
    if (now - measure_start_ >= kMeasureMin && completed_ >= 2ull * limit_) decide(now);
}

// Hill climbing on throughput: one step per measurement, the direction turns when a step did not pay.
void ConcurrencyControl::decide(Instant now) {
    const double rate = static_cast<double>(completed_) / std::chrono::duration<double>(now - measure_start_).count();
    if (step_ > 0 && rate < last_rate_ * kWorthIt) {
        step_ = -1;
    } else if (step_ < 0 && rate < last_rate_ / kWorthIt) {
        step_ = 1;
    } else if (step_ < 0 && limit_ == floor_) {
        step_ = 1;
    }
    const std::uint32_t size = std::max(1u, limit_ / 8);
    limit_ = step_ > 0 ? std::min(ceiling_, limit_ + size) : std::max(floor_, limit_ - std::min(limit_, size));
    MILLRACE_CHECK(limit_ >= floor_ && limit_ <= ceiling_);
    last_rate_ = rate;
    completed_ = 0;
    measure_start_ = now;
}

void ConcurrencyControl::overloaded(Instant now) {
    if (now < calm_until_) return;
    limit_ = std::max(floor_, limit_ / 2);
    calm_until_ = now + kCalm;
    completed_ = 0;
    last_rate_ = 0;
    step_ = 1;
    measure_start_ = now;
}

}  // namespace millrace::worker
