// What a node says of itself to the proxy of its cluster, which passes it on in the words of whoever asks. Any thread, one at a time.
//
//   {"running_ns","processors","load":[one,five,fifteen],
//    "memory":{"total","free","available","buffers_and_cache","swap_total","swap_free"},
//    "process":{"virtual","resident","shared","user_ms","system_ms"},
//    "disks":[{"folder","device","filesystem","disk","id":[…],"used","available","used_percent"}],
//    "rates":{"vda":{"read","read_average","write","write_average","busy"}}}
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/machine.h"

namespace millrace {

class Vitals {
public:
    // folders: where the node keeps objects.
    explicit Vitals(std::vector<std::string> folders) : folders_(std::move(folders)) {}
    nlohmann::json measure();

private:
    const std::vector<std::string> folders_;
    DiskWatch watch_;
};

}  // namespace millrace
