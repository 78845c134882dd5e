#include "tests/sim/world.h"

#include <boost/asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace millrace::sim {
namespace {
constexpr std::size_t kTraceLines = 60;
const bool kTraceAll = std::getenv("MILLRACE_SIM_TRACE") != nullptr;
}  // namespace

World::World(std::uint64_t seed) : random_(seed) { live_in(this); }
World::~World() { live_in(nullptr); }

std::uint64_t World::set_alarm(Instant when, std::function<void()> ring) {
    const std::uint64_t number = ++alarms_;
    const Instant at = std::max(when, now_);
    queue_.emplace(Order{at, number}, std::move(ring));
    pending_.emplace(number, at);
    return number;
}

void World::drop_alarm(std::uint64_t number) {
    const auto found = pending_.find(number);
    if (found == pending_.end()) return;
    queue_.erase({found->second, number});
    pending_.erase(found);
}

void World::run_ready() {
    (void)context_.poll();  // what it makes ready, too
    if (!broken_.empty()) throw Broken(std::exchange(broken_, {}));
}

void World::act(std::function<void()> action) {
    boost::asio::post(context_, std::move(action));
    run_ready();
}

bool World::step() {
    if (queue_.empty()) return false;
    auto next = queue_.extract(queue_.begin());
    pending_.erase(next.key().number);
    now_ = next.key().at;
    act(std::move(next.mapped()));
    return true;
}

void World::run_for(Duration time) {
    bool is_over = false;
    after(time, [&is_over] { is_over = true; });
    while (!is_over && step()) {
    }
}

void World::broke(const std::string& what) {
    if (broken_.empty()) broken_ = what;
}

void World::trace(const std::string& what) {
    const auto ms = std::chrono::duration_cast<milliseconds>(now_.time_since_epoch() - std::chrono::hours(1)).count();
    trace_.push_back(std::to_string(ms) + " ms  " + what);
    if (kTraceAll) std::fprintf(stderr, "%s\n", trace_.back().c_str());
    if (trace_.size() > kTraceLines) trace_.pop_front();
}

std::string World::recent() const {
    std::string text;
    for (const std::string& line : trace_) text += "  " + line + "\n";
    return text;
}

}  // namespace millrace::sim
