// Which outputs of a job are still welcome. A put from a slice carries a fence (epoch and incarnation); a target remembers the
// greatest it has seen from each slice, and what was stopped, and refuses older ones. Any thread.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "core/ids.h"
#include "state/slice_store.h"

namespace millrace::worker {

// One number that rises with the epoch, and within an epoch with the incarnation of the slice.
std::uint64_t make_fence(std::uint64_t epoch, std::uint64_t incarnation);

class Fences {
public:
    explicit Fences(state::SliceStore& store) : store_(store) {}

    // Code::stale_epoch when something newer was seen. Remembers the fence, across restarts too.
    Result<void> admit(const JobId& job, const TargetId& slice, std::uint64_t fence);
    // From now on nothing of the job up to this epoch is welcome, from any slice.
    Result<void> stop(const JobId& job, std::uint64_t epoch);

private:
    Result<std::uint64_t> load(const JobId& job, const TargetId& slice);

    state::SliceStore& store_;
    std::mutex mutex_;
    std::map<std::pair<JobId, TargetId>, std::uint64_t> seen_;  // guarded by mutex_
};

}  // namespace millrace::worker
