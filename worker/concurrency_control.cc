#include "worker/concurrency_control.h"

#include <algorithm>

#include "core/check.h"

namespace millrace::worker {
namespace {
constexpr auto kMeasureMin = milliseconds(200);
constexpr auto kFirstMeasuresMin = milliseconds(50);  // while doubling: jobs of fast objects are short
constexpr auto kCalm = milliseconds(1000);
constexpr double kMorePays = 1.05;   // of the rate before: a step up that brings less is taken back
constexpr double kLessCosts = 1.03;  // of the best rate: more than that is lost, and the way down ends
constexpr double kFading = 0.998;  // of the best rate, with every measurement
}  // namespace

ConcurrencyControl::ConcurrencyControl(std::uint32_t floor, std::uint32_t start, std::uint32_t ceiling)
    : floor_(std::max(1u, floor)), ceiling_(std::max(floor_, ceiling)), limit_(std::clamp(start, floor_, ceiling_)), last_limit_(limit_), best_limit_(limit_) {}

void ConcurrencyControl::succeeded(Instant now) {
    if (measure_start_ == Instant{}) measure_start_ = now;
    ++completed_;
    const auto measure_min = phase_ == Phase::doubling ? kFirstMeasuresMin : kMeasureMin;
    if (now - measure_start_ >= measure_min && completed_ >= 2ull * limit_) decide(now);
}

// Hill climbing on throughput: one step per measurement, the direction turns when a step did not pay. Falling is compared with the
// best rate, not with the last: many steps that each cost next to nothing would end at the floor.
void ConcurrencyControl::decide(Instant now) {
    const double rate = static_cast<double>(completed_) / std::chrono::duration<double>(now - measure_start_).count();
    best_rate_ *= kFading;
    if (rate > best_rate_) {
        best_rate_ = rate;
        best_limit_ = limit_;
    }
    if (phase_ == Phase::doubling && rate < last_rate_ * kMorePays) {
        if (doubted_) {
            phase_ = Phase::climbing;
            limit_ = last_limit_;
        }
        doubted_ = !doubted_;
    } else if (phase_ == Phase::falling && rate < best_rate_ / kLessCosts) {
        phase_ = Phase::climbing;
        limit_ = best_limit_;
        last_rate_ = 0;
    } else {
        if (phase_ == Phase::climbing && rate < last_rate_ * kMorePays) phase_ = Phase::falling;
        if (phase_ == Phase::falling && limit_ == floor_) phase_ = Phase::climbing;
        doubted_ = false;
        last_limit_ = limit_;
        last_rate_ = rate;
        take_step();
    }
    MILLRACE_CHECK(limit_ >= floor_ && limit_ <= ceiling_);
    completed_ = 0;
    measure_start_ = now;
}

// Up by much, since what a small step brings does not show among the noise; down by little.
void ConcurrencyControl::take_step() {
    switch (phase_) {
        case Phase::doubling: limit_ = std::min(ceiling_, 2 * limit_); break;
        case Phase::climbing: limit_ = std::min(ceiling_, limit_ + std::max(1u, limit_ / 2)); break;
        case Phase::falling: limit_ = std::max(floor_, limit_ - std::max(1u, limit_ / 8)); break;
    }
}

void ConcurrencyControl::overloaded(Instant now) {
    if (now < calm_until_) return;
    limit_ = std::max(floor_, limit_ / 2);
    calm_until_ = now + kCalm;
    phase_ = Phase::climbing;
    last_rate_ = 0;
    best_rate_ = 0;
    completed_ = 0;
    measure_start_ = now;
}

}  // namespace millrace::worker
