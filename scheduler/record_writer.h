// Writes down what a proxy decides. What could not be written stays to be written, and nobody is told of it before it is.
//
// In a turn of the control plane only, so one call at a time.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/cluster_state.h"
#include "state/metadata_store.h"

namespace millrace::scheduler {

class RecordWriter {
public:
    // catalog_record: as it was read, if there was one.
    RecordWriter(const ClusterState& state, state::MetadataStore& store, std::optional<std::string> catalog_record)
        : state_(state), store_(store), catalog_record_(std::move(catalog_record)) {}

    // The job in memory is ahead of its record; or it is gone, and its record is not.
    void is_behind(const std::string& job) { unwritten_.try_emplace(job, false); }
    void is_gone(const std::string& job);
    // Whether all that the message speaks of is written down.
    bool may_tell(const wire::Message& message) const;
    bool has_work() const { return !unwritten_.empty() || !unerased_.empty() || is_catalog_unsure_; }
    // All that is behind, in one commit.
    Task<Result<void>> write();

    // Before the change is made in memory. After an error nothing has changed for anybody: should the disk have it all the same, write()
    // takes it back.
    Task<Result<void>> write_new_job(const Job& job);
    Task<Result<void>> write_job(const Job& job);
    Task<Result<void>> erase_jobs(const std::vector<std::string>& jobs);
    Task<Result<void>> write_catalog(const DesiredCatalog& changed);

    Task<Result<void>> write_members();
    Task<Result<void>> write_lineage(const wire::OwnLineage& own);
    // As old as what has been told so far.
    std::uint64_t durable_age() const { return store_.durable_age(); }

private:
    std::string members() const;

    const ClusterState& state_;
    state::MetadataStore& store_;
    std::optional<std::string> catalog_record_;  // as it was read or written last
    bool is_catalog_unsure_ = false;             // a change was refused: it is written as it is once more
    std::map<std::string, bool> unwritten_;      // jobs whose records are behind, at most all; true: the list of its objects, too
    std::set<std::string> unerased_;             // and those that are to go
};

}  // namespace millrace::scheduler
