#include "scheduler/progress_rate.h"

#include <algorithm>

namespace millrace::scheduler {
namespace {
constexpr auto kWindow = std::chrono::seconds(10);
constexpr auto kSpacing = milliseconds(250);
}  // namespace

void ProgressRate::observe(std::uint64_t settled_objects, std::uint64_t bytes_in, Instant now) {
    if (!samples_.empty() && settled_objects < samples_.back().objects) samples_.clear();  // a retry, or a slice that starts again
    if (samples_.size() >= 2 && now - samples_[samples_.size() - 2].at < kSpacing) samples_.pop_back();
    samples_.push_back({now, settled_objects, bytes_in});
    while (samples_.size() > 2 && now - samples_[1].at > kWindow) samples_.pop_front();
}

double ProgressRate::rate(std::uint64_t Sample::*member) const {
    if (samples_.size() < 2) return 0;
    const double seconds = std::chrono::duration<double>(samples_.back().at - samples_.front().at).count();
    const double moved = static_cast<double>(samples_.back().*member) - static_cast<double>(samples_.front().*member);
    return seconds <= 0 ? 0 : std::max(0.0, moved / seconds);
}

double ProgressRate::objects_per_second() const { return rate(&Sample::objects); }
double ProgressRate::bytes_per_second() const { return rate(&Sample::bytes); }

std::optional<double> ProgressRate::seconds_left(std::uint64_t objects_left, std::uint64_t bytes_left) const {
    if (objects_left == 0) return 0;
    const double objects = objects_per_second();
    if (objects <= 0) return std::nullopt;
    const double by_objects = static_cast<double>(objects_left) / objects;
    const double bytes = bytes_per_second();
    return bytes <= 0 ? by_objects : std::max(by_objects, static_cast<double>(bytes_left) / bytes);
}

}  // namespace millrace::scheduler
