// A proxy without its HTTP server and its database: the parts that know, decide and carry out, put together.
//
//   ClusterState      what is known, pure
//   ControlPlane      turns, messages, time, effects
//   CatalogService    changes of buckets and transforms
//   JobService        commands of jobs
//   TargetDirectory   where the targets are
//
// Control loop only.
#pragma once
#include <memory>

#include "core/config.h"
#include "core/loop.h"
#include "http/client.h"
#include "scheduler/catalog_service.h"
#include "scheduler/cluster_state.h"
#include "scheduler/control_plane.h"
#include "scheduler/job_service.h"
#include "scheduler/large_body.h"
#include "scheduler/record_writer.h"
#include "scheduler/target_directory.h"
#include "state/metadata_store.h"

namespace millrace::scheduler {

class ProxyCore {
public:
    // Begins a term, and reads what was written down. A damaged record names itself. aside: for what takes long; one thread, so that what is
    // large comes one after the other. list_part_bytes_max: of the parts in which a job's list travels. Everything given outlives the core.
    static Task<Result<std::unique_ptr<ProxyCore>>> open(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata,
                                                         std::size_t list_part_bytes_max = kPartBytesMax);
    ProxyCore(const ProxyCore&) = delete;

    const ClusterState& state() const { return state_; }
    std::uint64_t term() const { return term_; }
    ControlPlane& control() { return control_plane_; }
    CatalogService& catalog() { return catalog_; }
    JobService& jobs() { return jobs_; }
    const TargetDirectory& targets() const { return targets_; }
    LargeBodies& large_bodies() { return large_bodies_; }

private:
    struct Opened;
    ProxyCore(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata, std::size_t list_part_bytes_max,
              Opened opened);

    const std::uint64_t term_;
    ClusterState state_;
    RecordWriter records_;
    ControlPlane control_plane_;
    CatalogService catalog_;
    JobService jobs_;
    http::Client client_;
    TargetDirectory targets_;
    LargeBodies large_bodies_;
};

}  // namespace millrace::scheduler
