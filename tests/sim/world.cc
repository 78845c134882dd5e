#include "tests/sim/world.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace millrace::sim {
namespace {
constexpr std::size_t kTraceLines = 60;
const bool kTraceAll = std::getenv("MILLRACE_SIM_TRACE") != nullptr;
}  // namespace

void World::after(Duration delay, std::function<void()> action) { queue_.emplace(Order{now_ + delay, ++events_}, std::move(action)); }

bool World::step() {
    if (queue_.empty()) return false;
    auto next = queue_.extract(queue_.begin());
    now_ = next.key().at;
    next.mapped()();
    return true;
}

void World::trace(const std::string& what) {
    const auto ms = std::chrono::duration_cast<milliseconds>(now_.time_since_epoch() - std::chrono::hours(1)).count();
    trace_.push_back(std::to_string(ms) + " ms  " + what);
    if (kTraceAll) std::fprintf(stderr, "%s\n", trace_.back().c_str());
    if (trace_.size() > kTraceLines) trace_.pop_front();
}

void World::detail(const std::function<std::string()>& what) {
    if (kTraceAll) std::fprintf(stderr, "    %s\n", what().c_str());
}

std::string World::recent() const {
    std::string text;
    for (const std::string& line : trace_) text += "  " + line + "\n";
    return text;
}

}  // namespace millrace::sim
