// Random choices that depend on nothing but a seed: the same on every machine and library.
#pragma once
#include <cstdint>
#include <random>
#include <vector>

#include "core/clock.h"

namespace millrace::sim {

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    // 0 to n - 1. Requires n > 0.
    std::uint64_t below(std::uint64_t n) { return engine_() % n; }
    std::uint64_t between(std::uint64_t first, std::uint64_t last) { return first + below(last - first + 1); }
    bool chance(std::uint32_t permille) { return below(1000) < permille; }
    milliseconds between_ms(std::uint64_t first, std::uint64_t last) { return milliseconds(between(first, last)); }
    template <class T>
    const T& pick(const std::vector<T>& choices) {
        return choices[below(choices.size())];
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace millrace::sim
