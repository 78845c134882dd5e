// What a job says that it has done on this target, held against what is there: for every object that it settled and that did not
// fail, the result exists and was made by this job from this object. Of a job that deletes: the object is gone.
//
// What the job skipped because its result existed (--overwrite never, changed) is counted apart. Objects whose source has been
// removed since are not looked at: nothing here remembers their names. Runs on a lane of requests; the index is read on the blocking pool.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/loop.h"
#include "state/slice_store.h"
#include "store/object_store.h"
#include "wire/messages.h"
#include "worker/bucket_io.h"
#include "worker/cluster_view.h"

namespace millrace::worker {

struct VerifiedProblem {
    std::string object;   // of the source
    std::string output;   // where its result should be; of a job that deletes, empty
    std::string problem;  // "missing", "replaced", "damaged", "still there"
    std::string detail;
};

struct VerifiedPage {
    std::vector<VerifiedProblem> problems;
    std::uint64_t checked = 0;  // problems included
    std::uint64_t kept = 0;     // of these, results that were there before
    std::string last;           // the next page begins after it
    bool at_end = false;
};

class JobVerification {
public:
    JobVerification(store::ObjectStore& store, Buckets& buckets, state::SliceStore& slices, BlockingPool& blocking, const ClusterView& cluster)
        : store_(store), buckets_(buckets), slices_(slices), blocking_(blocking), cluster_(cluster) {}

    // A bounded number of objects after a name, for a bounded time. contents: results are also read, and compared with their checksums.
    // Code::not_found for an unknown job, Code::conflict for a dry run, Code::unavailable when an owner of a result does not answer.
    Task<Result<VerifiedPage>> page(JobId job, std::string after, bool contents);

private:
    struct Part;  // of the selection: what there is to look at
    Task<Result<Part>> read_part(const JobId& job, const std::string& after) const;
    Task<Result<std::optional<VerifiedProblem>>> check_output(const Part& part, const std::string& name, bool contents, bool& kept);
    Task<Result<std::optional<store::ObjectInfo>>> find(const Part& part, const std::string& name, bool contents, std::string& damage);

    store::ObjectStore& store_;
    Buckets& buckets_;
    state::SliceStore& slices_;
    BlockingPool& blocking_;
    const ClusterView& cluster_;
};

}  // namespace millrace::worker
