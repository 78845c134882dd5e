// What jobs and transforms take beyond what their routes ask for (auth/doorkeeper.h). Code::permission says what is missing. Pure.
#pragma once
#include "auth/caller.h"
#include "scheduler/job.h"
#include "spec/transform_spec.h"
#include "wire/messages.h"

namespace millrace::scheduler {

// To submit it, to have it go on and to end it: run its source, and write its destination; to delete objects, write is enough.
Result<void> check_run(const auth::Caller& caller, const wire::JobSpec& job);
// To see it: read one of its buckets.
Result<void> check_seen(const auth::Caller& caller, const wire::JobSpec& job);
// To register it.
Result<void> check_transform(const auth::Caller& caller, const spec::TransformSpec& transform);

}  // namespace millrace::scheduler
