#include "core/ids.h"

#include <random>

namespace millrace {

std::string random_id(std::string_view prefix) {
    static constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::random_device device;
    std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
    std::string id(prefix);
    for (int i = 0; i < 10; ++i) id += kLetters[pick(device)];
    return id;
}

}  // namespace millrace
