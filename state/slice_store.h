// What a target writes down about its slices: the order it was given, the specification, the checkpoint, and the failure
// ledger. FORMAT.md describes keys and records.
//
// Any thread. Calls with sync block for about a millisecond.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/slice_counters.h"
#include "state/kv.h"
#include "state/record.h"

namespace millrace::state {

// What the names in the specification of a job meant when it was submitted.
struct PinnedDigest {
    std::string name;
    std::uint64_t digest = 0;
    MSGPACK_DEFINE_MAP(name, digest)
    friend bool operator==(const PinnedDigest&, const PinnedDigest&) = default;
};
struct SlicePins {
    std::string source_uid;  // empty: nothing is pinned
    std::string destination_uid;
    std::vector<PinnedDigest> transforms;
    MSGPACK_DEFINE_MAP(source_uid, destination_uid, transforms)
    friend bool operator==(const SlicePins&, const SlicePins&) = default;
};

// What the scheduler last asked for, and what was fixed when the slice was first heard of.
struct SliceOrder {
    std::string job;
    std::uint64_t revision = 0;
    int desired = 0;                    // wire::Desired
    std::uint64_t epoch = 1;
    std::uint64_t pass = 1;
    std::uint64_t incarnation = 0;
    std::uint64_t created_seq_end = 0;  // objects created from there on are not selected
    std::uint64_t arrival = 0;          // of slices on this target, in the order in which they were first heard of
    SlicePins pins;
    MSGPACK_DEFINE_MAP(job, revision, desired, epoch, pass, incarnation, created_seq_end, arrival, pins)
};

struct SliceCheckpoint {
    int phase = 0;  // worker::Phase
    std::uint64_t phase_pass = 1;
    std::uint64_t retried_pass = 1;
    std::string watermark;
    std::vector<std::string> settled_ahead;  // settled names above the watermark
    SliceCounters counters;  // each a member of the record
    std::string survey_after;
    std::uint64_t survey_objects = 0, survey_bytes = 0, survey_unmapped = 0;
    bool survey_done = false;
    std::string failure;  // why the slice gave up; empty: it did not
    MSGPACK_DEFINE_MAP(phase, phase_pass, retried_pass, watermark, settled_ahead, MSGPACK_NVP("done", counters.done),
                       MSGPACK_NVP("skipped", counters.skipped), MSGPACK_NVP("failed", counters.failed),
                       MSGPACK_NVP("quarantined", counters.quarantined), MSGPACK_NVP("attempts", counters.attempts),
                       MSGPACK_NVP("bytes_in", counters.bytes_in), MSGPACK_NVP("bytes_out", counters.bytes_out),
                       MSGPACK_NVP("bytes_moved", counters.bytes_moved), survey_after, survey_objects, survey_bytes, survey_done, failure,
                       MSGPACK_NVP("near_empty", counters.near_empty), survey_unmapped)
};

struct LedgerRow {
    bool quarantined = false;
    int code = 0;
    std::string message;
    std::string stderr_tail;
    std::uint32_t attempts = 0;
    std::uint64_t pass = 1;  // of the job's passes, in which it failed last
    std::int64_t at_unix_ns = 0;
    MSGPACK_DEFINE_MAP(quarantined, code, message, stderr_tail, attempts, pass, at_unix_ns)
};

// Ledger rows to write, or to erase where there is none.
using LedgerChanges = std::map<std::string, std::optional<LedgerRow>>;

class SliceStore {
public:
    explicit SliceStore(Kv& kv) : kv_(kv) {}

    Result<std::vector<SliceOrder>> orders() const;
    // Durable on return. spec_bytes: the specification, written once; nullptr keeps what is there.
    Result<void> put_order(const SliceOrder& order, const std::string* spec_bytes);
    // nullopt when it was never written.
    Result<std::optional<std::string>> spec_bytes(const JobId& job) const;

    // The checkpoint and the ledger changes together, durable on return. The bytes of the checkpoint record.
    Result<std::uint64_t> put_checkpoint(const JobId& job, const SliceCheckpoint& checkpoint, const LedgerChanges& changes);
    Result<std::optional<SliceCheckpoint>> checkpoint(const JobId& job) const;

    struct LedgerPage {
        std::vector<std::pair<std::string, LedgerRow>> rows;
        std::string last;  // of the rows that were looked at; the page goes on behind it
        bool at_end = false;
    };
    // Rows after a name (exclusive), in name order; only those whose pass is below pass_below.
    // Looks at a bounded number of rows, so a page may be empty and not at its end.
    Result<LedgerPage> ledger(const JobId& job, const std::string& after, std::size_t rows_max, std::uint64_t pass_below) const;

    // Everything about the job, but for a fence that refuses whatever a slice that has not heard of it may still send.
    Result<void> forget(const JobId& job, std::int64_t now_unix_ns);
    // Removes those fences once no such slice can be left.
    Result<void> drop_fences_forgotten_before(std::int64_t unix_ns);

    // The newest fence seen for the outputs of a job from one slice; 0 when none.
    Result<std::uint64_t> fence(const JobId& job, const TargetId& slice) const;
    Result<void> put_fence(const JobId& job, const TargetId& slice, std::uint64_t fence);

private:
    Kv& kv_;
};

}  // namespace millrace::state
