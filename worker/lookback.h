// Whether what a slice has settled is still there: asked when its job starts again, since outputs may have gone meanwhile.
//
// Blocks for a bounded number of index reads: some milliseconds.
#pragma once
#include <cstdint>

#include "worker/object_execution.h"
#include "worker/selection.h"

namespace millrace::worker {

// Of the first thousand objects that were settled well and whose outputs belong to this target: how many outputs are not there, or are
// those of somebody else though the job overwrites. settled_to: as Progress::watermark of the main phase; empty: everything is settled.
Task<Result<std::uint64_t>> count_lost_outputs(const SliceContext& slice, const Selection& selection, const state::SliceStore& slices,
                                               std::string settled_to);

}  // namespace millrace::worker
