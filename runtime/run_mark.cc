#include "runtime/run_mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/descriptor.h"
#include "core/hash.h"
#include "core/whole_number.h"
#include "runtime/child_environment.h"
#include "runtime/orphans.h"
#include "runtime/process_table.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace millrace::runtime {
namespace {

// 01, then 26 bits of the target's folder, 12 of the instance, 24 of the run. The run's part counts down from that of the instance:
// a forked child may lower the limit that its program was loaded with, and not raise it.
constexpr int kRunBits = 24;
constexpr int kInstanceBits = 12;
constexpr Mark kRunMask = (Mark{1} << kRunBits) - 1;
constexpr Mark kInstanceMask = (Mark{1} << kInstanceBits) - 1;
constexpr Mark kTargetMask = ~((Mark{1} << (kRunBits + kInstanceBits)) - 1);
constexpr Mark kTag = Mark{1} << 62;
constexpr Duration kKillPause = std::chrono::milliseconds(2);
constexpr Duration kMonitorGrace = std::chrono::milliseconds(1500);

// The folder by its identity, which no copy of it shares.
Mark target_part(const std::string& realm_folder) {
    struct stat info {};
    if (::stat(realm_folder.c_str(), &info) < 0) return 0;
    const std::string identity = std::to_string(info.st_dev) + '/' + std::to_string(info.st_ino) + '/' + pid_realm();
    return kTag | (xxh64(identity) & kTargetMask & (kTag - 1));
}

bool can_set(Mark mark) {
    struct rlimit now {};
    return ::getrlimit(RLIMIT_LOCKS, &now) == 0 && now.rlim_max >= mark;
}

struct Numbers {
    std::mutex mutex;
    std::bitset<kInstanceMask + 1> taken;  // guarded by mutex
    Mark next = 0;                         // guarded by mutex; those that became free last are used last
};

Numbers& all_numbers() {
    static Numbers* const only = new Numbers;  // outlives whatever is destroyed at the end of the process
    return *only;
}

// Of a process of another user, such as sandboxes have, whose limits only CAP_SYS_RESOURCE may ask for: everybody may read them.
Mark mark_in_text(pid_t pid) {
    const Descriptor file(::open(("/proc/" + std::to_string(pid) + "/limits").c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> text;
    const ssize_t bytes = ::read(file.get(), text.data(), text.size());
    if (bytes <= 0) return 0;
    const std::string_view all(text.data(), static_cast<std::size_t>(bytes));
    constexpr std::string_view kName = "Max file locks";
    const std::size_t line = all.find(kName);
    if (line == all.npos) return 0;
    // Two numbers: what is in force, and the most that it may be.
    std::string_view rest = all.substr(line + kName.size());
    for (int i = 0; i < 2; ++i) {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
        if (i == 0) rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    }
    return parse_whole<Mark>(rest.substr(0, rest.find_first_of(" \n"))).value_or(0);
}

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    bool is_elsewhere = false;  // in a process namespace of its own: of a container
};

std::string process_space(const std::string& pid) {
    char space[64] = {};
    if (::readlink(("/proc/" + pid + "/ns/pid").c_str(), space, sizeof space - 1) < 0) return "";
    return space;
}

std::vector<Process> find(const MarkFilter& chosen) {
    std::vector<Process> found;
    const std::string here = process_space("self");
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), [](DIR* open) { return ::closedir(open); });
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const std::string_view name(entry->d_name);
        const auto pid = parse_whole<pid_t>(name);
        if (!pid || *pid == ::getpid() || !chosen(mark_of(*pid))) continue;
        const auto info = process_info(*pid);
        if (!info || info->state == 'Z' || info->state == 'X') continue;
        found.push_back({*pid, info->parent, info->group, info->session, process_space(std::string(name)) != here});
    }
    return found;
}

// The process that had the mark, and no other that has got its number meanwhile.
void kill_one(pid_t pid, const MarkFilter& chosen) {
    const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd.is_open() && chosen(mark_of(pid))) ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

// What watches over a container, and what that has started to tidy up after it. They are no part of the container.
std::vector<pid_t> monitors(const std::vector<Process>& all) {
    std::vector<pid_t> found;
    const auto has = [&](pid_t pid) { return std::find(found.begin(), found.end(), pid) != found.end(); };
    const auto is_here = [&](pid_t pid) {
        return std::any_of(all.begin(), all.end(), [pid](const Process& process) { return process.pid == pid && !process.is_elsewhere; });
    };
    for (const Process& process : all) {
        if (process.is_elsewhere && is_here(process.parent) && !has(process.parent)) found.push_back(process.parent);
    }
    for (std::size_t before = 0; before != found.size();) {
        before = found.size();
        for (const Process& process : all) {
            if (!process.is_elsewhere && has(process.parent) && !has(process.pid)) found.push_back(process.pid);
        }
    }
    return found;
}

}  // namespace

Marks::Marks(const std::string& realm_folder) {
    (void)make_folder(realm_folder);  // whoever needs it says so
    const Mark target = target_part(realm_folder);
    if (target == 0 || !can_set(target | ~kTargetMask)) return;
    Numbers& numbers = all_numbers();
    const std::lock_guard lock(numbers.mutex);
    for (Mark tries = 0; tries <= kInstanceMask; ++tries) {
        const Mark number = numbers.next++ & kInstanceMask;
        if (numbers.taken.test(number)) continue;
        numbers.taken.set(number);
        instance_ = target | (number << kRunBits) | kRunMask;
        return;
    }
}

Marks::~Marks() {
    if (instance_ == 0) return;
    Numbers& numbers = all_numbers();
    const std::lock_guard lock(numbers.mutex);
    numbers.taken.reset((instance_ >> kRunBits) & kInstanceMask);
}

Mark Marks::next_run() {
    const Mark run = runs_++ % kRunMask;
    return instance_ == 0 ? 0 : instance_ - 1 - run;
}

bool Marks::is_instances(Mark mark) const { return instance_ != 0 && (mark | kRunMask) == instance_; }

Mark instance_of(Mark run) { return run == 0 ? 0 : run | kRunMask; }

MarkFilter marked_by_target(const std::string& realm_folder) {
    const Mark target = target_part(realm_folder);
    return [target](Mark mark) { return target != 0 && (mark & kTargetMask) == target; };
}

Mark mark_of(pid_t pid) {
    struct rlimit limit {};
    Mark mark = 0;
    if (::syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, nullptr, &limit) == 0) {
        mark = limit.rlim_max;
    } else if (errno == EPERM) {
        mark = mark_in_text(pid);
    }
    return (mark >> 62) == 1 ? mark : 0;
}

std::size_t kill_marked(const MarkFilter& chosen) {
    const std::vector<Process> found = find(chosen);
    for (const Process& process : found) kill_one(process.pid, chosen);
    return found.size();
}

std::set<Mark> living(const std::set<Mark>& marks) {
    std::set<Mark> found;
    for (const Process& process : find([&marks](Mark mark) { return marks.contains(mark); })) found.insert(mark_of(process.pid));
    found.erase(0);  // it has ended meanwhile
    return found;
}

bool lives_in_group(Mark mark, pid_t group) {
    const std::vector<Process> found = find([mark](Mark other) { return mark != 0 && other == mark; });
    return std::any_of(found.begin(), found.end(), [group](const Process& process) { return process.group == group; });
}

Task<bool> end_marked(MarkFilter chosen, Duration time_max) {
    const Instant begun = steady_now();
    std::vector<pid_t> spared;
    for (bool is_first = true;; is_first = false) {
        const std::vector<Process> found = find(chosen);
        reap_orphans();
        if (found.empty()) co_return true;
        if (steady_now() >= begun + time_max) co_return false;
        if (is_first) spared = monitors(found);
        if (steady_now() >= begun + kMonitorGrace) spared.clear();
        for (const Process& process : found) {
            const auto is_spared = [&](pid_t pid) { return std::find(spared.begin(), spared.end(), pid) != spared.end(); };
            if (is_spared(process.parent) && !is_spared(process.pid) && !process.is_elsewhere) spared.push_back(process.pid);
            if (!is_spared(process.pid)) kill_one(process.pid, chosen);
        }
        co_await sleep_for(kKillPause);
    }
}

Task<bool> end_marked_in_session(Mark run, pid_t session, Duration time_max) {
    const MarkFilter of_run = [run](Mark mark) { return run != 0 && mark == run; };
    const Instant until = steady_now() + time_max;
    for (;;) {
        const std::vector<Process> found = find(of_run);
        reap_orphans();
        const auto is_inside = [session](const Process& process) { return process.session == session; };
        if (steady_now() >= until || std::none_of(found.begin(), found.end(), is_inside)) co_return !found.empty();
        for (const Process& process : found) {
            if (is_inside(process)) kill_one(process.pid, of_run);
        }
        co_await sleep_for(kKillPause);
    }
}

}  // namespace millrace::runtime
