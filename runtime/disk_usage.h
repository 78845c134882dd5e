// How much a folder takes on its disk. Any thread.
#pragma once
#include <cstdint>
#include <string>

namespace millrace::runtime {

// Bytes of all that lies in it, links not followed. Stops counting above bytes_max, or after some ten thousand files; what goes meanwhile is left out.
std::uint64_t disk_usage(const std::string& folder, std::uint64_t bytes_max);

}  // namespace millrace::runtime
