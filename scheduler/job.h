// What the scheduler knows of a job: what was asked, how it stands, and what each slice last said.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/ids.h"
#include "wire/messages.h"

namespace millrace::scheduler {

// Numbers are on disk.
enum class JobState : int { preparing = 1, running = 2, paused = 3, completed = 4, completed_with_errors = 5, failed = 6, cancelled = 7 };

std::string_view job_state_name(JobState state);
std::optional<JobState> job_state_of(std::string_view name);
bool is_terminal(JobState state);
// As in API.md: "transform", "copy" or "delete".
std::string_view operation_name(wire::Operation operation);
// "" for no bucket.
std::string bucket_uri(const std::string& bucket);

struct Slice {
    bool heard = false;        // since the job was submitted
    wire::SliceStatus status;  // the newest
    std::uint64_t failures_forgiven = 0;  // as `status` says, but not more because the target was started again
    std::string loss;          // why the target may lack what it had: a copy of its folder was accepted. Empty: it does not
    std::uint64_t promised_objects = 0;  // of a loss: how many objects the slice was known to have
    std::uint64_t promised_results = 0;  // and of how many of them the job had made what it should
    MSGPACK_DEFINE_MAP(heard, status, failures_forgiven, loss, promised_objects, promised_results)
};

// How many slices have said so under a revision of the job.
struct SliceTally {
    std::uint64_t revision = 0;
    std::size_t prepared = 0;  // ready, running or finished
    std::size_t finished = 0;
    std::size_t failed = 0;
};

// What the job is about from an epoch on, until a later one.
struct PinnedEpoch {
    std::uint64_t epoch = 1;
    wire::Pins pins;
    MSGPACK_DEFINE_MAP(epoch, pins)
};

struct Job {
    std::string id;
    wire::JobSpec spec;            // without the objects of a list
    std::string request_json;      // as submitted, defaults filled in
    std::string idempotency_key;
    JobState state = JobState::preparing;
    std::string reason;            // why it failed
    std::uint64_t revision = 1;    // of the directive
    wire::Desired desired = wire::Desired::prepare;
    std::uint64_t epoch = 1;
    std::uint64_t pass = 1;
    bool prepared = false;         // it has run: a resume need not prepare again
    std::int64_t created_unix_ns = 0;
    std::int64_t started_unix_ns = 0;
    std::int64_t finished_unix_ns = 0;
    std::map<std::string, Slice> slices;  // by target id: one per target of the map it was submitted under
    bool overtaken = false;        // it is known from an older copy of the proxy's folder: targets may have removed it since
    std::uint64_t finished_uptime_ms = 0;  // of the proxy, summed over its starts, when the job ended; 0: it did not
    std::vector<PinnedEpoch> pins;  // newest last; more than one after a resume or retry with what was there then. None: of a job from before pins
    SliceTally tally;              // of `slices`; kept by absorb(), not written down
    MSGPACK_DEFINE_MAP(id, spec, request_json, idempotency_key, state, reason, revision, desired, epoch, pass, prepared,
                       created_unix_ns, started_unix_ns, finished_unix_ns, slices, overtaken, finished_uptime_ms, pins)
};

// Whether the slice's newest status answers the job's newest directive; until then it says what was under an earlier one.
bool speaks_of_now(const Job& job, const Slice& slice);

// Sums over the slices.
struct JobTotals {
    SliceCounters counters;
    std::uint64_t total_objects = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t total_unmapped = 0;
    bool total_known = false;
    std::uint64_t outputs_lost = 0;
};
JobTotals totals(const Job& job);

}  // namespace millrace::scheduler

MSGPACK_ADD_ENUM(millrace::scheduler::JobState)
