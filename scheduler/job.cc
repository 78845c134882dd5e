#include "scheduler/job.h"

namespace millrace::scheduler {

std::string_view job_state_name(JobState state) {
    switch (state) {
        case JobState::preparing: return "preparing";
        case JobState::running: return "running";
        case JobState::paused: return "paused";
        case JobState::completed: return "completed";
        case JobState::completed_with_errors: return "completed_with_errors";
        case JobState::failed: return "failed";
        case JobState::cancelled: return "cancelled";
    }
    return "unknown";
}

std::optional<JobState> job_state_of(std::string_view name) {
    for (int number = static_cast<int>(JobState::preparing); number <= static_cast<int>(JobState::cancelled); ++number) {
        const auto state = static_cast<JobState>(number);
        if (job_state_name(state) == name) return state;
    }
    return std::nullopt;
}

std::string_view operation_name(wire::Operation operation) {
    switch (operation) {
        case wire::Operation::transform: return "transform";
        case wire::Operation::copy: return "copy";
        case wire::Operation::remove: return "delete";
    }
    return "unknown";
}

std::string bucket_uri(const std::string& bucket) { return bucket.empty() ? "" : "ais://" + bucket; }

bool is_terminal(JobState state) {
    return state == JobState::completed || state == JobState::completed_with_errors || state == JobState::failed || state == JobState::cancelled;
}

bool speaks_of_now(const Job& job, const Slice& slice) { return slice.heard && slice.status.revision == job.revision; }

JobTotals totals(const Job& job) {
    JobTotals sum;
    sum.total_known = true;
    for (const auto& [target, slice] : job.slices) {
        sum.counters += slice.status.counters;
        sum.total_objects += slice.status.total_objects;
        sum.total_bytes += slice.status.total_bytes;
        sum.total_unmapped += slice.status.total_unmapped;
        sum.outputs_lost += slice.status.outputs_lost;
        sum.total_known = sum.total_known && slice.heard && slice.status.total_known;
    }
    return sum;
}

}  // namespace millrace::scheduler
