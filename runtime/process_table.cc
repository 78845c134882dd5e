#include "runtime/process_table.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "core/whole_number.h"

namespace millrace::runtime {
std::optional<ProcessInfo> process_info(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line, '\0')) return std::nullopt;
    // The second field is the program's name in parentheses and may hold anything, parentheses too.
    const std::size_t name_end = line.rfind(')');
    if (name_end == line.npos) return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    ProcessInfo info;
    info.pid = pid;
    fields >> info.state >> info.parent >> info.group >> info.session;
    std::string skipped;
    for (int field = 7; field <= 13; ++field) fields >> skipped;
    std::uint64_t user_ticks = 0;
    std::uint64_t system_ticks = 0;
    fields >> user_ticks >> system_ticks;
    info.cpu_ticks = user_ticks + system_ticks;
    for (int field = 16; field <= 21; ++field) fields >> skipped;
    fields >> info.start_time >> skipped >> info.resident_pages;
    if (!fields) return std::nullopt;
    return info;
}

std::vector<pid_t> session_members(pid_t session) {
    std::vector<pid_t> members;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), [](DIR* open) { return ::closedir(open); });
    if (!folder) return members;
    while (const dirent* entry = ::readdir(folder.get())) {
        const std::string_view name(entry->d_name);
        const auto pid = parse_whole<pid_t>(name);
        if (!pid) continue;
        const auto info = process_info(*pid);
        if (info && info->session == session && info->state != 'Z' && info->state != 'X') members.push_back(*pid);
    }
    return members;
}

std::size_t kill_session(pid_t session) {
    if (session <= 1) return 0;
    ::kill(-session, SIGKILL);
    const std::vector<pid_t> members = session_members(session);
    for (const pid_t pid : members) ::kill(pid, SIGKILL);
    return members.size();
}

ServerUsage session_usage(pid_t session) {
    ServerUsage usage;
    static const double ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (const pid_t pid : session_members(session)) {
        const auto info = process_info(pid);
        if (!info) continue;
        usage.cpu_seconds += static_cast<double>(info->cpu_ticks) / ticks_per_second;
        usage.memory_bytes += info->resident_pages * page_bytes;
    }
    return usage;
}

std::string pid_realm() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string boot;
    std::getline(file, boot);
    char space[64] = {};
    if (::readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = '\0';
    return boot + '/' + space;
}

}  // namespace millrace::runtime
