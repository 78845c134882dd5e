// A slice's progress as the record that is written down, and back.
#pragma once
#include "state/slice_store.h"
#include "worker/slice_machine.h"

namespace millrace::worker {

state::SliceCheckpoint to_record(const Progress& progress);
Progress from_record(const state::SliceCheckpoint& record);
state::LedgerChanges to_record(const FailureChanges& changes);

}  // namespace millrace::worker
