// Everything that a simulated target finds again after a restart: its database, its buckets, sources and outputs.
//
// Outputs are durable once the store was synced; removals of sources also with any later synced write of the database; what users store, and
// buckets, are durable at once.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/result.h"
#include "tests/sim/folder.h"
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

// What the database says of a slice, decoded.
struct SliceDisk {
    std::uint64_t revision = 0;
    wire::Desired desired = wire::Desired::prepare;
    std::uint64_t epoch = 1;
    std::uint64_t pass = 1;
    std::uint64_t incarnation = 0;
    std::uint64_t created_seq_end = 0;
    wire::JobSpec spec;
    std::map<std::string, std::uint64_t> selection;  // what was selected when it was first heard of, with versions
    std::optional<worker::Progress> checkpoint;
    std::map<std::string, worker::FailedObject> ledger;
};

class Disk {
public:
    Disk() { name_store("store-1"); }
    void name_store(const std::string& id);

    // What is not durable is gone.
    void lose_power(Random& random);
    void sync_outputs();
    void sync_removals() { removed_.clear(); }

    // The uid of the bucket that has the name here; empty: none has.
    std::string uid_of(const std::string& bucket) const;
    void put_source(const std::string& name, std::uint64_t version);
    // False when there is none that was created before.
    bool remove(const std::string& name, std::uint64_t created_seq_end);

    // Reads the row of the database into `slices`. True when it is the order of a slice that was not known.
    bool saw(const state::Batch::Operation& row);
    void read_slices();
    // The newest fence of the outputs of a slice that the database knows; 0: none.
    std::uint64_t fence(const std::string& job, const std::string& slice) const;

    Folder folder;
    DiskFaults faults;
    std::map<std::string, std::string> buckets;                           // uids by name
    std::map<std::pair<std::string, std::string>, StoredOutput> outputs;  // by the bucket's uid and name
    std::map<std::string, Source> sources;
    std::uint64_t next_seq = 1;
    std::map<std::string, SliceDisk> slices;                              // by job; what was selected is not in the database

private:
    std::map<std::string, Source> removed_;  // not durably
};

}  // namespace millrace::sim
