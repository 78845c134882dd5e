// Looking processes up in /proc, and killing whole sessions: what a transform's processes started on their own too.
// Any thread.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/instance.h"

namespace millrace::runtime {

struct ProcessInfo {
    pid_t pid = 0;
    char state = '?';             // Z and X: dead
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    std::uint64_t start_time = 0;  // clock ticks since boot: with the pid, names a process for good
    std::uint64_t cpu_ticks = 0;
    std::uint64_t resident_pages = 0;
};

// nullopt: there is no such process.
std::optional<ProcessInfo> process_info(pid_t pid);

// The living processes of a session, whatever their process group.
std::vector<pid_t> session_members(pid_t session);

// SIGKILL to the group of the session's leader and to every living member; how many were alive. Repeat until 0: they die
// a moment later, and may have forked meanwhile.
std::size_t kill_session(pid_t session);

// Processor time and resident memory of the living members of a session.
ServerUsage session_usage(pid_t session);

// Which boot and which process namespace pids count in: a pid from another one means nothing here.
std::string pid_realm();

}  // namespace millrace::runtime
