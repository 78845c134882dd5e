#include "core/clock.h"

#include <cstdio>
#include <ctime>

namespace millrace {

std::int64_t unix_now_ns() {
    if (simulated_world() != nullptr) return simulated_world()->unix_now_ns();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string rfc3339(std::int64_t unix_ns) {
    if (unix_ns == 0) return "";
    const std::time_t seconds = unix_ns / 1'000'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(unix_ns / 1'000'000 % 1000));
    return text;
}

}  // namespace millrace
