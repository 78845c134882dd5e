#include "core/machine.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace millrace {
namespace {

constexpr std::uint64_t kSectorBytes = 512;  // of /proc/diskstats, whatever the disk's are

MemoryUse measure_memory() {
    MemoryUse use;
    std::ifstream lines("/proc/meminfo");
    std::string name, unit;
    for (std::uint64_t kilobytes = 0; lines >> name >> kilobytes;) {
        std::getline(lines, unit);
        const std::uint64_t bytes = kilobytes * 1024;
        if (name == "MemTotal:") use.total = bytes;
        if (name == "MemFree:") use.free = bytes;
        if (name == "MemAvailable:") use.available = bytes;
        if (name == "Buffers:" || name == "Cached:") use.buffers_and_cache += bytes;
        if (name == "SwapTotal:") use.swap_total = bytes;
        if (name == "SwapFree:") use.swap_free = bytes;
    }
    return use;
}

ProcessUse measure_process() {
    ProcessUse use;
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const auto ticks_per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    std::uint64_t pages[3] = {0, 0, 0};
    std::ifstream("/proc/self/statm") >> pages[0] >> pages[1] >> pages[2];
    use.virtual_bytes = pages[0] * page;
    use.resident_bytes = pages[1] * page;
    use.shared_bytes = pages[2] * page;
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(std::min(line.rfind(')') + 2, line.size())));  // the name before may hold anything
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    std::uint64_t user = 0, system = 0, start = 0;
    fields >> user >> system;
    for (int i = 0; i < 6; ++i) fields >> skipped;
    fields >> start;
    use.user_ms = user * 1000 / ticks_per_second;
    use.system_ms = system * 1000 / ticks_per_second;
    double up_seconds = 0;
    std::ifstream("/proc/uptime") >> up_seconds;
    const double running = up_seconds - static_cast<double>(start) / static_cast<double>(ticks_per_second);
    use.running_ns = running > 0 ? static_cast<std::uint64_t>(running * 1e9) : 0;
    return use;
}

// Of /proc/self/mountinfo: the filesystem that is mounted as this device.
void find_mount(const std::string& numbers, DiskUse& use) {
    std::ifstream lines("/proc/self/mountinfo");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string id, parent, device, word;
        fields >> id >> parent >> device;
        if (device != numbers) continue;
        while (fields >> word && word != "-") {}
        fields >> use.filesystem >> use.device;
        return;
    }
}

}  // namespace

MachineUse measure_machine() {
    MachineUse use;
    use.memory = measure_memory();
    use.process = measure_process();
    std::ifstream("/proc/loadavg") >> use.load[0] >> use.load[1] >> use.load[2];
    use.processors = std::max(1u, std::thread::hardware_concurrency());
    return use;
}

int DiskUse::used_percent() const {
    const std::uint64_t all = used_bytes + available_bytes;
    return all == 0 ? 0 : static_cast<int>((static_cast<double>(used_bytes) * 100) / static_cast<double>(all));
}

DiskUse measure_disk(const std::string& folder) {
    DiskUse use;
    struct statfs space {};
    struct stat about {};
    if (::statfs(folder.c_str(), &space) != 0 || ::stat(folder.c_str(), &about) != 0) return use;
    const auto block = static_cast<std::uint64_t>(space.f_bsize);
    use.used_bytes = (space.f_blocks - space.f_bfree) * block;
    use.available_bytes = space.f_bavail * block;
    std::memcpy(use.id, &space.f_fsid, sizeof use.id);
    const std::string numbers = std::to_string(major(about.st_dev)) + ":" + std::to_string(minor(about.st_dev));
    find_mount(numbers, use);
    std::ifstream names("/sys/dev/block/" + numbers + "/uevent");
    for (std::string line; std::getline(names, line);) {
        if (line.starts_with("DEVNAME=")) use.disk = line.substr(line.find('=') + 1);
    }
    return use;
}

DiskWatch::DiskWatch() : before_(read_counts()), before_at_(steady_now()) {}

std::map<std::string, DiskWatch::Counts> DiskWatch::read_counts() {
    std::map<std::string, Counts> counts;
    std::ifstream lines("/proc/diskstats");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string skipped, disk;
        Counts of;
        std::uint64_t read_sectors = 0, written_sectors = 0;
        fields >> skipped >> skipped >> disk >> of.reads >> skipped >> read_sectors >> skipped >> of.writes >> skipped >> written_sectors >> skipped >>
            skipped >> of.busy_ms;
        if (!fields) continue;
        of.read_bytes = read_sectors * kSectorBytes;
        of.written_bytes = written_sectors * kSectorBytes;
        counts[disk] = of;
    }
    return counts;
}

std::map<std::string, DiskRates> DiskWatch::rates(const std::vector<std::string>& disks) {
    const Instant now = steady_now();
    const double seconds = std::chrono::duration<double>(now - before_at_).count();
    if (seconds >= 0.5) {
        auto counts = read_counts();
        rates_.clear();
        const auto per_second = [seconds](std::uint64_t amount) { return static_cast<std::uint64_t>(static_cast<double>(amount) / seconds); };
        for (const auto& [disk, after] : counts) {
            const Counts& before = before_[disk];
            const std::uint64_t reads = after.reads - before.reads, writes = after.writes - before.writes;
            const std::uint64_t read = after.read_bytes - before.read_bytes, written = after.written_bytes - before.written_bytes;
            rates_[disk] = {per_second(read), reads == 0 ? 0 : read / reads, per_second(written), writes == 0 ? 0 : written / writes,
                            static_cast<int>(std::min(100.0, static_cast<double>(after.busy_ms - before.busy_ms) / seconds / 10))};
        }
        before_ = std::move(counts);
        before_at_ = now;
    }
    std::map<std::string, DiskRates> found;
    for (const std::string& disk : disks) {
        if (!disk.empty()) found[disk] = rates_[disk];
    }
    return found;
}

}  // namespace millrace
