// The seeded simulation. MILLRACE_SIM_SEED=n runs one seed, MILLRACE_SIM_SEEDS=n that many, from MILLRACE_SIM_FIRST=n on or from 1,
// MILLRACE_SIM_TRACE=1 prints every event.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/log.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kSeeds = 200;

Simulation* running = nullptr;
std::uint64_t running_seed = 0;

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
    const char* text = std::getenv(variable);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// A broken MILLRACE_CHECK ends the process: say which seed it was.
void on_abort(int) {
    if (running != nullptr) {
        std::fprintf(stderr, "MILLRACE_SIM_SEED=%llu\n%s", static_cast<unsigned long long>(running_seed), running->world().recent().c_str());
    }
    std::_Exit(134);
}

bool holds(std::uint64_t seed) {
    const auto simulation = std::make_unique<Simulation>(seed);
    running = simulation.get();
    running_seed = seed;
    std::string broken;
    try {
        simulation->run();
    } catch (const std::exception& failure) {
        broken = failure.what();
    }
    running = nullptr;
    if (broken.empty()) return true;
    ADD_FAILURE() << "MILLRACE_SIM_SEED=" << seed << "\n" << simulation->world().recent() << "  " << broken;
    return false;
}

TEST(Simulation, EveryObjectEndsInOneClassWhateverHappens) {
    (void)log::start("sim", std::getenv("MILLRACE_SIM_TRACE") != nullptr ? log::Level::info : log::Level::error, "");
    std::signal(SIGABRT, on_abort);
    const std::uint64_t only = number_from("MILLRACE_SIM_SEED", 0);
    if (only != 0) {
        EXPECT_TRUE(holds(only));
        return;
    }
    const std::uint64_t seeds = number_from("MILLRACE_SIM_SEEDS", kSeeds);
    const std::uint64_t first = number_from("MILLRACE_SIM_FIRST", 1);
    std::uint64_t broken = 0;
    for (std::uint64_t seed = first; seed < first + seeds && broken < 5; ++seed) broken += holds(seed) ? 0 : 1;
}

}  // namespace
}  // namespace millrace::sim
