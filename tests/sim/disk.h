// What a simulated target finds again after a restart: sources, outputs, fences, orders, checkpoints and ledgers.
//
// Outputs and removals of sources are durable once they were synced; everything else is durable when it is written, and what was
// removed before with it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/result.h"
#include "wire/messages.h"
#include "worker/slice_machine.h"

namespace millrace::sim {

struct Source {
    std::uint64_t version = 0;
    std::uint64_t created_seq = 0;
    std::uint64_t bytes = 0;
};

struct Output {
    std::string content;
    std::uint64_t version = 0;  // of the source it was made from
    std::string job;
    std::string slice;          // the target that made it
    std::uint64_t epoch = 0;
    std::uint64_t digest = 0;   // of the transform; of a copy 0
};

struct StoredOutput {
    std::optional<Output> newest;
    std::optional<Output> durable;
};

struct SliceDisk {
    std::uint64_t revision = 0;
    wire::Desired desired = wire::Desired::prepare;
    std::uint64_t epoch = 1;
    std::uint64_t pass = 1;
    std::uint64_t incarnation = 0;
    std::uint64_t created_seq_end = 0;
    wire::JobSpec spec;
    std::map<std::string, std::uint64_t> selection;  // what the truth knows as selected
    wire::Pins pins;
    std::optional<worker::Progress> checkpoint;
    std::map<std::string, worker::FailedObject> ledger;
};

struct Put {
    std::string bucket;
    std::string bucket_uid;
    std::string name;
    Output output;
    std::uint64_t fence = 0;
};

// Rises with every restart of the slice and with every resume or retry of the job.
inline std::uint64_t make_fence(std::uint64_t epoch, std::uint64_t incarnation) { return (epoch << 24) | incarnation; }

class Disk {
public:
    // What is not durable is gone.
    void lose_power();

    // The uid of the bucket that has the name here; empty: none has.
    std::string uid_of(const std::string& bucket) const;
    std::uint64_t digest_of(const std::string& transform) const;
    // The newest wins. What was destroyed is gone for good.
    void apply(const wire::Catalog& newer);
    // Refuses a put from an earlier run of the slice than the newest seen, or from one that was stopped, and any while the disk
    // is full.
    Result<void> put(const Put& put);
    // No output of the job from this epoch or an earlier one is accepted any more.
    void stop(const std::string& job, std::uint64_t epoch);
    // Nor of an earlier run of this slice.
    void begin(const std::string& job, const std::string& slice, std::uint64_t fence);
    bool welcomes(const std::string& job, const std::string& slice, std::uint64_t fence);
    // Makes the outputs of a slice durable.
    void sync(const std::string& job, const std::string& slice);
    // False when there is none that was created before.
    bool remove(const std::string& name, std::uint64_t created_seq_end);
    void sync_removals() { removed_.clear(); }
    Result<void> write_checkpoint(SliceDisk& slice, const worker::CheckpointWork& work);

    std::string store = "store-1";
    std::uint64_t age = 0;     // durable changes
    wire::OwnLineage lineage;
    wire::Lineage proxy;       // what is remembered of it
    std::uint64_t next_seq = 1;
    bool full = false;
    std::map<std::string, Source> sources;
    wire::Catalog catalog;
    std::map<std::string, std::uint64_t> digests;                                // of the catalog's transforms
    std::map<std::pair<std::string, std::string>, StoredOutput> outputs;         // by the bucket's uid and name
    std::map<std::pair<std::string, std::string>, std::uint64_t> fences;         // by job and slice; "*": every slice
    std::map<std::string, SliceDisk> slices;                                     // by job

private:
    std::map<std::string, Source> removed_;  // not durably
};

}  // namespace millrace::sim
