#include "runtime/cgroup.h"

#include <optional>
#include <sstream>

#include "core/file.h"
#include "core/whole_number.h"

namespace millrace::runtime {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

bool lists(std::string_view controllers, std::string_view wanted) {
    while (!controllers.empty()) {
        const std::size_t comma = controllers.find(',');
        if (controllers.substr(0, comma) == wanted) return true;
        controllers.remove_prefix(comma == controllers.npos ? controllers.size() : comma + 1);
    }
    return false;
}

// The folder of the controller's group from /proc/PID/cgroup, whose lines are "number:controllers:path"; the second
// version's line has no controllers, and speaks for those that no other line lists.
struct Group {
    std::string folder;
    bool second_version = false;
};
std::optional<Group> group_of(const std::string& listing, std::string_view controller, const std::string& mounts) {
    std::optional<Group> found;
    std::istringstream lines(listing);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
        if (second == line.npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string path = line.substr(second + 1);
        if (lists(controllers, controller)) return Group{mounts + '/' + controllers + path, false};
        if (controllers.empty()) found = Group{mounts + path, true};
    }
    return found;
}

Error no_group(pid_t pid, std::string_view why) {
    return fail(Code::not_found, "the control group of process " + std::to_string(pid) + " is not to be found: " + std::string(why));
}

}  // namespace

Result<Cgroup> Cgroup::of_process(pid_t pid, const std::string& root) {
    const auto listing = read_file(root + "/proc/" + std::to_string(pid) + "/cgroup", kFileBytesMax);
    if (!listing) return no_group(pid, listing.error().context);
    // Seen from inside of a control group namespace, groups outside of it have such paths.
    if (listing->contains("/..")) return no_group(pid, "it is not below the control group of this machine or container");
    const std::string mounts = root + "/sys/fs/cgroup";
    const auto memory = group_of(*listing, "memory", mounts);
    const auto cpu = group_of(*listing, "cpuacct", mounts);
    if (!memory || !cpu) return no_group(pid, "neither version of control groups counts its memory and processor time");
    Cgroup group;
    if (memory->second_version) {
        group.oom_kills_ = {memory->folder + "/memory.events", "oom_kill"};
        group.memory_ = {memory->folder + "/memory.current", ""};
    } else {
        group.oom_kills_ = {memory->folder + "/memory.oom_control", "oom_kill"};
        group.memory_ = {memory->folder + "/memory.usage_in_bytes", ""};
    }
    group.cpu_ = cpu->second_version ? Place{cpu->folder + "/cpu.stat", "usage_usec"} : Place{cpu->folder + "/cpuacct.usage", ""};
    group.cpu_units_per_second_ = cpu->second_version ? 1e6 : 1e9;
    return group;
}

Result<std::uint64_t> Cgroup::number_at(const Place& place) {
    MILLRACE_TRY_ASSIGN(const std::string text, read_file(place.file, kFileBytesMax));
    std::istringstream words(text);
    std::string word;
    bool found = place.key.empty();
    while (words >> word && !found) found = word == place.key;
    const auto number = parse_whole<std::uint64_t>(word);
    if (!found || !number) {
        return fail(Code::corrupt, place.file + " does not say " + (place.key.empty() ? "a number" : place.key));
    }
    return *number;
}

Result<std::uint64_t> Cgroup::oom_kills() const { return number_at(oom_kills_); }
Result<std::uint64_t> Cgroup::memory_bytes() const { return number_at(memory_); }

Result<double> Cgroup::cpu_seconds() const {
    MILLRACE_TRY_ASSIGN(const std::uint64_t units, number_at(cpu_));
    return static_cast<double>(units) / cpu_units_per_second_;
}

}  // namespace millrace::runtime
