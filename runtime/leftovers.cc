#include <poll.h>

#include <filesystem>

#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/instance.h"
#include "runtime/pid_file.h"
#include "runtime/process_table.h"
#include "runtime/run_mark.h"
#include "runtime/socket_folder.h"

namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

constexpr Duration kKillTimeMax = std::chrono::seconds(5);
constexpr int kKillPauseMs = 5;

// While a member of the session lives, the kernel gives its leader's process id to nobody else. So if that id now names a
// process that started at another time, the session is long gone.
bool may_still_run(const PidRecord& record) {
    if (record.realm != pid_realm()) return false;
    const auto leader = process_info(record.pid);
    return !leader || leader->start_time == record.start_time;
}

void kill_leftover(const PidRecord& record, const std::string& file) {
    if (!may_still_run(record)) return;
    std::size_t killed = 0;
    const Instant deadline = steady_now() + kKillTimeMax;
    for (;;) {
        const std::size_t alive = kill_session(record.pid);
        if (alive == 0) break;
        killed = std::max(killed, alive);
        if (steady_now() >= deadline) {
            log::error("processes of an earlier target do not die", {{"session", record.pid}, {"pid_file", file}});
            return;
        }
        (void)::poll(nullptr, 0, kKillPauseMs);
    }
    if (killed > 0) log::info("processes of an earlier target killed", {{"session", record.pid}, {"processes", killed}});
}

// Whatever runs and servers of it have started, in whatever session.
std::size_t kill_by_mark(const std::string& folder) {
    const MarkFilter of_this_target = marked_by_target(folder);
    std::size_t most = 0;
    const Instant deadline = steady_now() + kKillTimeMax;
    for (;;) {
        const std::size_t alive = kill_marked(of_this_target);
        if (alive == 0) return most;
        most = std::max(most, alive);
        if (steady_now() >= deadline) {
            log::error("processes of an earlier target do not die", {{"processes", alive}});
            return most;
        }
        (void)::poll(nullptr, 0, kKillPauseMs);
    }
}

void clean(const std::string& folder) {
    for (const std::string& file : {folder + "/pid", folder + "/scratch/pid"}) {
        const auto record = read_pid_file(file);
        if (!record) continue;
        kill_leftover(*record, file);
        if (is_short_socket_folder(record->socket_folder)) remove_folder(record->socket_folder);
    }
}

}  // namespace

void remove_leftovers(const std::string& folder) {
    const std::size_t killed = kill_by_mark(folder);
    if (killed > 0) log::info("processes of an earlier target killed", {{"processes", killed}});
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
        std::error_code ignored;
        if (!entry->is_directory(ignored) || entry->is_symlink(ignored)) continue;
        const std::string instance = entry->path().string();
        clean(instance);
        remove_folder(instance);
    }
}

}  // namespace millrace::runtime
