#include "core/vitals.h"

namespace millrace {

using nlohmann::json;

json Vitals::measure() {
    const MachineUse use = measure_machine();
    json document{{"running_ns", use.process.running_ns}, {"processors", use.processors}, {"load", {use.load[0], use.load[1], use.load[2]}}};
    document["memory"] = {{"total", use.memory.total}, {"free", use.memory.free}, {"available", use.memory.available},
                          {"buffers_and_cache", use.memory.buffers_and_cache}, {"swap_total", use.memory.swap_total}, {"swap_free", use.memory.swap_free}};
    document["process"] = {{"virtual", use.process.virtual_bytes}, {"resident", use.process.resident_bytes}, {"shared", use.process.shared_bytes},
                           {"user_ms", use.process.user_ms}, {"system_ms", use.process.system_ms}};
    std::vector<std::string> names;
    json& disks = document["disks"] = json::array();
    for (const std::string& folder : folders_) {
        const DiskUse disk = measure_disk(folder);
        names.push_back(disk.disk);
        disks.push_back({{"folder", folder}, {"device", disk.device}, {"filesystem", disk.filesystem}, {"disk", disk.disk}, {"id", {disk.id[0], disk.id[1]}},
                         {"used", disk.used_bytes}, {"available", disk.available_bytes}, {"used_percent", disk.used_percent()}});
    }
    json& rates = document["rates"] = json::object();
    for (const auto& [name, rate] : watch_.rates(names)) {
        rates[name] = {{"read", rate.read_bytes_per_second}, {"read_average", rate.read_bytes_average}, {"write", rate.write_bytes_per_second},
                       {"write_average", rate.write_bytes_average}, {"busy", rate.busy_percent}};
    }
    return document;
}

}  // namespace millrace
