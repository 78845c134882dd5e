// What a process uses, and what is left of the machine under it: memory, processors, disks. Read from /proc at each call; what cannot be
// read is 0. Any thread.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"

namespace millrace {

struct MemoryUse {  // of the machine, in bytes
    std::uint64_t total = 0, free = 0, buffers_and_cache = 0, available = 0;
    std::uint64_t swap_total = 0, swap_free = 0;
};

struct ProcessUse {
    std::uint64_t virtual_bytes = 0, resident_bytes = 0, shared_bytes = 0;
    std::uint64_t user_ms = 0, system_ms = 0;  // processor time so far
    std::uint64_t running_ns = 0;              // since its start
};

struct MachineUse {
    MemoryUse memory;
    ProcessUse process;
    double load[3] = {0, 0, 0};  // of the last minute, five and fifteen minutes
    unsigned processors = 1;
};
MachineUse measure_machine();

// What holds a folder.
struct DiskUse {
    std::string device;      // "/dev/vda"
    std::string filesystem;  // "ext4"
    std::string disk;        // "vda", as in the rates below; empty where it is no block device
    std::int32_t id[2] = {0, 0};
    std::uint64_t used_bytes = 0, available_bytes = 0;
    int used_percent() const;
};
DiskUse measure_disk(const std::string& folder);

struct DiskRates {
    std::uint64_t read_bytes_per_second = 0, read_bytes_average = 0;    // average: of a request
    std::uint64_t write_bytes_per_second = 0, write_bytes_average = 0;
    int busy_percent = 0;
};

// How busy disks were between one question and the one before. One thread at a time.
class DiskWatch {
public:
    DiskWatch();
    // Since the last call that was half a second ago or longer.
    std::map<std::string, DiskRates> rates(const std::vector<std::string>& disks);

private:
    struct Counts {
        std::uint64_t reads = 0, read_bytes = 0, writes = 0, written_bytes = 0, busy_ms = 0;
    };
    static std::map<std::string, Counts> read_counts();

    std::map<std::string, Counts> before_;
    Instant before_at_;
    std::map<std::string, DiskRates> rates_;  // of all disks, as of then
};

}  // namespace millrace
