#include "runtime/server_processes.h"

#include <dirent.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "core/whole_number.h"
#include "runtime/spawn.h"

namespace millrace::runtime {
namespace {

constexpr std::size_t kMembersMax = 256;
constexpr unsigned kExitingFlag = 0x4;  // PF_EXITING of the kernel
constexpr Duration kServerEndTimeMax = std::chrono::seconds(2);
constexpr Duration kServerEndPause = milliseconds(2);

struct TaskState {
    char state = '?';
    unsigned flags = 0;
    std::optional<int> wait_status;  // of a zombie, if this process may see it
    bool has_ended() const { return state == 'Z' || state == 'X'; }
    bool is_ending() const { return has_ended() || (flags & kExitingFlag) != 0; }
};

// nullopt: there is none.
std::optional<TaskState> task_state(const std::string& folder) {
    std::ifstream file(folder + "/stat");
    std::string line;
    if (!std::getline(file, line, '\0')) return std::nullopt;
    const std::size_t name_end = line.rfind(')');
    if (name_end == line.npos) return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    TaskState task;
    std::string skipped;
    fields >> task.state;
    for (int field = 4; field <= 8; ++field) fields >> skipped;
    fields >> task.flags;
    if (!fields) return std::nullopt;
    for (int field = 10; field <= 51; ++field) fields >> skipped;
    int status = 0;
    if (task.state == 'Z' && fields >> status) task.wait_status = status;
    return task;
}

// Calls f with every entry that is a number, until it says false.
template <class F>
void for_each_number(const std::string& folder, F f) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), [](DIR* it) { return ::closedir(it); });
    while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) {
        const auto number = parse_whole<pid_t>(entry->d_name);
        if (number && !f(*number)) return;
    }
}

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

// All that a process has started, and what those have.
void add_descendants(pid_t pid, std::vector<pid_t>& found) {
    const std::string tasks = folder_of(pid) + "/task";
    for_each_number(tasks, [&](pid_t task) {
        std::ifstream file(tasks + '/' + std::to_string(task) + "/children");
        for (pid_t child = 0; found.size() < kMembersMax && file >> child;) {
            if (std::ranges::find(found, child) != found.end()) continue;
            found.push_back(child);
            add_descendants(child, found);
        }
        return found.size() < kMembersMax;
    });
}

// The kernel's pidfd_info; it knows of a process that was reaped since Linux 6.15.
struct PidfdInfo {
    std::uint64_t mask = 1u << 3;
    std::uint64_t cgroup = 0;
    std::uint32_t ids[11] = {};
    std::int32_t wait_status = 0;
};
static_assert(sizeof(PidfdInfo) == 64);

// Of one that has ended; nullopt: nobody knows, as its parent was faster.
std::optional<int> wait_status_of(pid_t pid, const Descriptor& pidfd) {
    if (const auto task = task_state(folder_of(pid)); task && task->wait_status) return task->wait_status;
    PidfdInfo info;
    const std::uint64_t wanted = info.mask;
    if (::ioctl(pidfd.get(), _IOWR(0xFF, 11, PidfdInfo), &info) == 0 && (info.mask & wanted) != 0) return info.wait_status;
    return std::nullopt;
}

// "" for one that ended in order.
std::string bad_end(pid_t pid, const Descriptor& pidfd) {
    const std::string process = "its process " + std::to_string(pid);
    const auto status = wait_status_of(pid, pidfd);
    if (!status) return process + " ended, and how is not known";
    if (WIFSIGNALED(*status)) return process + ": " + ExitStatus{true, WTERMSIG(*status)}.text();
    return WEXITSTATUS(*status) == 0 ? "" : process + ": " + ExitStatus{false, WEXITSTATUS(*status)}.text();
}

}  // namespace

bool is_ending(pid_t pid) {
    const auto first = task_state(folder_of(pid));
    if (!first) return true;
    if (!first->is_ending()) return false;
    // The first thread may have ended before the others.
    bool all = true;
    const std::string tasks = folder_of(pid) + "/task";
    for_each_number(tasks, [&](pid_t task) {
        const auto other = task_state(tasks + '/' + std::to_string(task));
        all = !other || other->is_ending();
        return all;
    });
    return all;
}

void ServerProcesses::look() {
    if (root_ == 0) return;
    const std::lock_guard lock(mutex_);
    settle();
    std::vector<pid_t> found;
    add_descendants(root_, found);
    for (const pid_t pid : found) {
        if (members_.size() >= kMembersMax || std::ranges::find(members_, pid, &Member::pid) != members_.end()) continue;
        const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        if (pidfd >= 0) members_.push_back({pid, Descriptor(pidfd)});
    }
}

std::uint64_t ServerProcesses::broken_off() {
    const std::lock_guard lock(mutex_);
    settle();
    return broken_off_;
}

Task<std::optional<std::string>> ServerProcesses::broke_off_since(std::uint64_t before) {
    const Instant until = steady_now() + kServerEndTimeMax;
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            // In this order: one that is not about to end by now had not ended before.
            const bool is_settled = std::ranges::none_of(members_, [](const Member& member) { return is_ending(member.pid); });
            settle();
            if (broken_off_ > before) co_return how_;
            if (is_settled || members_.empty() || steady_now() >= until) co_return std::nullopt;
        }
        co_await sleep_for(kServerEndPause);
    }
}

void ServerProcesses::settle() {
    if (members_.empty()) return;
    std::vector<pollfd> questions;
    for (const Member& member : members_) questions.push_back({member.pidfd.get(), POLLIN, 0});
    if (::poll(questions.data(), questions.size(), 0) <= 0) return;
    auto question = questions.begin();
    std::erase_if(members_, [&](const Member& member) {
        if (question++->revents == 0) return false;
        const std::string how = bad_end(member.pid, member.pidfd);
        if (!how.empty()) {
            ++broken_off_;
            how_ = how;
        }
        return true;
    });
}

}  // namespace millrace::runtime
