#include "runtime/orphans.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/descriptor.h"


namespace millrace::runtime {
namespace {

struct Table {
    std::mutex mutex;
    std::set<pid_t> ours;  // guarded by mutex
    Descriptor list;               // guarded by mutex
};

Table& table() {
    static Table* const only = new Table;  // outlives whatever is destroyed at the end of the process
    return *only;
}

// The children of the main thread, which the kernel gives the orphans to; our own are made on other threads, or remembered right
// after they were made. Empty on a kernel without the list. Requires the mutex.
std::vector<pid_t> listed(Table& table) {
    if (!table.list.is_open()) {
        const std::string file = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
        table.list = Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    }
    std::vector<pid_t> pids;
    std::array<char, 4096> text;
    std::string rest;
    for (off_t at = 0;;) {
        const ssize_t count = ::pread(table.list.get(), text.data(), text.size(), at);
        if (count <= 0) break;
        at += count;
        rest.append(text.data(), static_cast<std::size_t>(count));
    }
    for (std::size_t at = 0; at < rest.size();) {
        pid_t pid = 0;
        const auto parsed = std::from_chars(rest.data() + at, rest.data() + rest.size(), pid);
        if (parsed.ec == std::errc{} && !table.ours.contains(pid)) pids.push_back(pid);
        at = static_cast<std::size_t>(parsed.ptr - rest.data()) + 1;
    }
    return pids;
}

// Reaps it, unless it lives.
bool lives(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0;
}

}  // namespace

void adopt_orphans() { (void)::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

void reap_orphans() {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    for (const pid_t pid : listed(all)) (void)lives(pid);
}

bool has_orphans(Mark run) {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    bool found = false;
    for (const pid_t pid : listed(all)) found |= lives(pid) && run != 0 && mark_of(pid) == run;
    return found;
}

void remember_child(pid_t pid) {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    all.ours.insert(pid);
}

void forget_child(pid_t pid) {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    all.ours.erase(pid);
}

}  // namespace millrace::runtime
