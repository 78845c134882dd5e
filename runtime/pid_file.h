// The file that lets a restarted target find the server processes of the one before: "pid start_time realm socket_folder".
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"

namespace millrace::runtime {

struct PidRecord {
    pid_t pid = 0;                 // leader of a session of its own
    std::uint64_t start_time = 0;  // see ProcessInfo
    std::string realm;             // see pid_realm
    std::string socket_folder;     // to be removed too; "-" if there is none outside of the instance's folder
};

Result<void> write_pid_file(const std::string& file, const PidRecord& record);
// nullopt for a file that is missing or is not one.
std::optional<PidRecord> read_pid_file(const std::string& file);

}  // namespace millrace::runtime
