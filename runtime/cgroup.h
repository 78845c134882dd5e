// What the kernel counts of a container: its memory, its processor time, and whether it ran out of memory.
//
// Found by a process of it, in either version of control groups. Reads files and nothing else; any thread. The group is
// removed soon after its last process ends, so the last numbers are to be had right when that is noticed.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "core/result.h"

namespace millrace::runtime {

class Cgroup {
public:
    // The process must be alive: Code::not_found otherwise. `root` stands for "/", so that tests can lay out a machine.
    static Result<Cgroup> of_process(pid_t pid, const std::string& root = "");

    // Processes that were killed because the group was at its limit.
    Result<std::uint64_t> oom_kills() const;
    // Now, with the page cache that is charged to the group.
    Result<std::uint64_t> memory_bytes() const;
    // Of all its processes, past ones included.
    Result<double> cpu_seconds() const;

private:
    // A number in a file: the word after a key, or the first word where the key is empty.
    struct Place {
        std::string file;
        std::string key;
    };
    static Result<std::uint64_t> number_at(const Place& place);

    Place oom_kills_;
    Place memory_;
    Place cpu_;
    double cpu_units_per_second_ = 1;
};

}  // namespace millrace::runtime
