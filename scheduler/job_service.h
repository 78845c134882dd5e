// The commands of jobs. Each is written down before it counts, and told to the targets afterwards. Control loop only.
#pragma once
#include <string>

#include "core/loop.h"
#include "scheduler/catalog_service.h"
#include "scheduler/control_plane.h"
#include "scheduler/job_request.h"
#include "scheduler/pins.h"
#include "state/metadata_store.h"

namespace millrace::scheduler {

class JobService {
public:
    // aside: for long lists; one thread, so that one comes after the other. list_part_bytes_max: of the parts in which a list travels.
    JobService(ClusterState& state, ControlPlane& control, RecordWriter& records, CatalogService& catalog, state::MetadataStore& store,
               BlockingPool& aside, std::size_t list_part_bytes_max)
        : state_(state), control_(control), records_(records), catalog_(catalog), store_(store), aside_(aside),
          list_part_bytes_max_(list_part_bytes_max) {}

    // The job's id, once every online target knows what was there; after a few seconds without that, too.
    // A repeated idempotency key gives the first job; with another request it is Code::conflict.
    Task<Result<std::string>> submit(JobRequest request, std::string idempotency_key);
    // Resume or retry: scheduler/pins.h.
    Task<Result<void>> start_again(std::string id, Again how, bool with_current);
    Task<Result<void>> command(std::string id, Scheduler::Command change);
    // Code::conflict for one that has not ended.
    Task<Result<void>> remove(std::string id);
    // Those that ended longer ago. How many.
    Task<Result<std::size_t>> remove_older_than(milliseconds age);

    // As they were written down, at the start. Lists of jobs that were not accepted in the end are erased.
    Task<Result<void>> restore();

private:
    // The id; none when the destination must be created first.
    using Accepted = std::optional<std::string>;
    Task<Result<std::string>> accept(JobRequest request, std::string idempotency_key, std::string id, ListedObjects objects);
    Task<Result<Accepted>> accept_in_turn(const JobRequest& request, const std::string& idempotency_key, const std::string& id, ListedObjects& objects);
    Task<Result<void>> command_in_turn(const std::string& id, const Scheduler::Command& change);
    Task<Result<void>> remove_in_turn(const std::string& id);
    Task<Result<std::size_t>> remove_older_in_turn(milliseconds age);
    Task<Result<void>> erase(std::vector<std::string> ids);
    Task<void> wait_until_accepted(std::string job);

    ClusterState& state_;
    ControlPlane& control_;
    RecordWriter& records_;
    CatalogService& catalog_;
    state::MetadataStore& store_;
    BlockingPool& aside_;
    const std::size_t list_part_bytes_max_;
};

}  // namespace millrace::scheduler
