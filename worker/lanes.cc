#include "worker/lanes.h"

#include <future>

#include "core/check.h"

namespace millrace::worker {
namespace {
thread_local Lane* current_lane = nullptr;
}  // namespace

Lane::Lane(std::size_t lane_index, const std::string& name)
    : index(lane_index), loop(name + "-" + std::to_string(lane_index)), client(std::make_unique<http::Client>(loop.executor())) {
    loop.post([this] { current_lane = this; });
}

Lane::Lane(std::size_t lane_index, Executor simulated) : index(lane_index), loop(std::move(simulated)) {}

// The connections are closed on the thread that uses them.
Lane::~Lane() {
    if (!client) return;
    std::promise<void> closed;
    loop.post([this, &closed] {
        client.reset();
        closed.set_value();
    });
    closed.get_future().wait();
}

Lanes::Lanes(const std::string& name, std::size_t first_index, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) lanes_.push_back(std::make_unique<Lane>(first_index + i, name));
}

Lanes::Lanes(const Executor& simulated, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) lanes_.push_back(std::make_unique<Lane>(i, simulated));
}

std::vector<Executor> Lanes::executors() {
    std::vector<Executor> all;
    for (const auto& lane : lanes_) all.push_back(lane->loop.executor());
    return all;
}

Lane& Lanes::here() {
    MILLRACE_CHECK(current_lane != nullptr);
    return *current_lane;
}

}  // namespace millrace::worker
