// Jobs and statuses in the states that tests start from.
#pragma once
#include <string>

#include "scheduler/job_machine.h"

namespace millrace::scheduler {

inline constexpr std::int64_t kNow = 1'700'000'000'000'000'000;

inline bool everyone(const std::string&) { return true; }
inline bool nobody(const std::string&) { return false; }

inline Job make_job() {
    Job job{.id = "job-1", .spec = {.transform = "to-wav", .source = "in", .destination = "out"}};
    job.slices["t1"] = {};
    job.slices["t2"] = {};
    return job;
}

// A newer status than the last, under the current revision.
inline wire::SliceStatus status_of(const Job& job, const std::string& target, wire::SliceState state, SliceCounters counters = {},
                                   std::uint64_t total = 10) {
    const wire::SliceStatus& known = job.slices.at(target).status;
    return {.job = job.id, .revision = job.revision, .incarnation = 1, .seq = known.seq + 1, .state = state, .counters = counters,
            .total_objects = total, .total_bytes = total * 100, .total_known = true};
}

inline void hear(Job& job, const std::string& target, wire::SliceState state, SliceCounters counters = {}) {
    (void)absorb(job, target, status_of(job, target, state, counters));
}

inline void hear_all(Job& job, wire::SliceState state, SliceCounters counters = {}) {
    for (const auto& [target, slice] : job.slices) hear(job, target, state, counters);
}

inline Job running_job() {
    Job job = make_job();
    hear_all(job, wire::SliceState::ready);
    (void)advance(job, everyone, kNow);
    return job;
}

}  // namespace millrace::scheduler
