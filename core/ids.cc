#include "core/ids.h"

#include <random>

#include "core/clock.h"

namespace millrace {

std::string random_id(std::string_view prefix) {
    static constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::random_device device;
    std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
    std::string id(prefix);
    SimulatedWorld* const world = simulated_world();
    for (int i = 0; i < 10; ++i) id += kLetters[world == nullptr ? pick(device) : world->random_number() % kLetters.size()];
    return id;
}

}  // namespace millrace
