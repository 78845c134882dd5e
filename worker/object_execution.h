// One attempt at one object of a job: read it, feed it to the transform, publish the result where its name belongs.
//
// Runs on a lane, whose thread it may block for the microseconds of a store call.
#pragma once
#include <expected>
#include <memory>
#include <string>

#include "core/rename.h"
#include "store/object_store.h"
#include "wire/messages.h"
#include "worker/cluster_view.h"
#include "worker/failure_policy.h"
#include "worker/fences.h"
#include "worker/lanes.h"
#include "worker/transform_chain.h"

namespace millrace::worker {

// What every attempt of a slice shares; does not change while attempts run.
struct SliceContext {
    JobId job;
    wire::JobSpec spec;
    RenameRule rename;
    std::uint64_t epoch = 1;
    std::uint64_t fence = 0;
    store::ObjectStore& store;
    const SpoolFolder& spool;
    const TransformTable& transforms;
    const ClusterView& cluster;
};

struct ExecutionResult {
    bool skipped = false;  // by the overwrite policy
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    TargetId moved_to;     // the owner of the output's name, when that is another target
    std::string boot_id;   // of the process there that has it
};

Task<std::expected<ExecutionResult, Failure>> execute(const SliceContext& slice, Lane& lane, std::string name, bool isolated);

}  // namespace millrace::worker
