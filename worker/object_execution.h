// One attempt at one object of a job: read it, feed it to the transforms, publish the result where its name belongs. A copy is
// the same without transforms; of a job that deletes, the object is removed.
#pragma once
#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "core/rename.h"
#include "state/slice_store.h"
#include "wire/messages.h"
#include "worker/bucket_io.h"
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
    std::vector<std::string> chain;  // names of the transforms, none for a copy
    RenameRule rename;
    std::uint64_t epoch = 1;
    std::uint64_t fence = 0;
    std::uint64_t created_seq_end = 0;  // of what is not part of the job
    std::shared_ptr<BucketReader> source;
    std::shared_ptr<BucketWriter> sink;  // the destination; of a job that deletes, the source
    const ClusterView& cluster;
    std::shared_ptr<const store::ChangeGuard> guard{};  // every change is made under it
    // Set when what runs under this context is to end: it was paused, stopped or ordered anew.
    std::shared_ptr<std::atomic<bool>> over = std::make_shared<std::atomic<bool>>(false);
    state::SlicePins pins{};  // of the epoch: what has the names otherwise is waited out, never used
};

struct ExecutionResult {
    bool skipped = false;  // by the overwrite policy, or gone already
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    TargetId moved_to;     // the owner of the output's name, when that is another target
    std::string boot_id;   // of the process there that has it
};

// Who makes an attempt at an object. An interface, so that the slices of a simulated target have objects, too.
class ObjectRunner {
public:
    virtual ~ObjectRunner() = default;
    // On the lane, whose thread it may block for the microseconds of a call of the local store.
    virtual Task<std::expected<ExecutionResult, Failure>> run(const SliceContext& slice, Lane& lane, std::string name, bool isolated) const = 0;
};

class ObjectExecution final : public ObjectRunner {
public:
    ObjectExecution(const SpoolFolder& spool, const TransformTable& transforms) : spool_(spool), transforms_(transforms) {}
    Task<std::expected<ExecutionResult, Failure>> run(const SliceContext& slice, Lane& lane, std::string name, bool isolated) const override;

private:
    const SpoolFolder& spool_;
    const TransformTable& transforms_;
};

}  // namespace millrace::worker
