// An output on its way to the target that owns its name.
#pragma once
#include <cstdint>
#include <string>

#include "tests/sim/disk.h"

namespace millrace::sim {

struct PutRequest {
    std::string job;
    std::string slice;  // the target that made it
    std::uint64_t fence = 0;
    std::string bucket;
    std::string bucket_uid;
    std::string name;
    Output output;
};

}  // namespace millrace::sim
