// A number that every process of a run carries, whatever it does: a session of its own, a daemon, an empty environment, another
// control group, a container. So a run's processes are found again when it is over, and by the next target when this one was killed.
//
// It stands where the kernel keeps the greatest number of file locks, a resource limit that has meant nothing since Linux 2.4, which every
// child inherits, and nobody can raise but root. Where this process may not set one that high, mark() is 0 and nothing is found.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "core/task.h"

namespace millrace::runtime {

using Mark = std::uint64_t;  // 0: none

// The marks of one instance of a transform, or of one life of a server: nobody else of this process has them while it lives. Any thread.
class Marks {
public:
    // realm_folder: where a target keeps its instances, made where there is none. Who uses the folder next finds these marks again.
    explicit Marks(const std::string& realm_folder);
    ~Marks();
    Marks(const Marks&) = delete;

    Mark of_instance() const { return instance_; }  // of what is no run's
    Mark next_run();
    bool is_instances(Mark mark) const;  // of a run of it, or its own

private:
    Mark instance_ = 0;
    std::atomic<std::uint32_t> runs_{0};
};

// The mark of the instance that a run belongs to.
Mark instance_of(Mark run);

// Whether a mark was given out by a target, this one or an earlier one, that used the folder.
using MarkFilter = std::function<bool(Mark)>;
MarkFilter marked_by_target(const std::string& realm_folder);

// Of a process, dead or alive; 0: none, or there is no such process.
Mark mark_of(pid_t pid);

// SIGKILL to every living process whose mark is chosen; how many there were. Repeat until 0: they die a moment later, and may
// have forked meanwhile.
std::size_t kill_marked(const MarkFilter& chosen);
// Those that a living process has.
std::set<Mark> living(const std::set<Mark>& marks);
// Whether a living process of the group has the mark.
bool lives_in_group(Mark mark, pid_t group);
// Repeats kill_marked(); false when some still lived after time_max. What watches over a container sees that end first, and has a moment to
// tidy up after it.
Task<bool> end_marked(MarkFilter chosen, Duration time_max);
// The same for one run, where only its processes in a session end; true when others live on, in sessions of their own.
Task<bool> end_marked_in_session(Mark run, pid_t session, Duration time_max);

}  // namespace millrace::runtime
