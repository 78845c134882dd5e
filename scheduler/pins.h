// What a job is about: the very buckets and transforms that its names meant when it was submitted. A job that starts again goes on with
// these, or says that others have their names by now.
//
// Pure.
#pragma once
#include <string>

#include "core/result.h"
#include "scheduler/job.h"
#include "scheduler/desired_catalog.h"

namespace millrace::scheduler {

// As a job that is submitted now would be pinned. Code::not_found when a bucket or a transform is not there.
Result<wire::Pins> pins_of(const wire::JobSpec& spec, const DesiredCatalog& catalog);

// Code::conflict when the catalog has others than the job pins: which, and what to do. again: "resume" or "retry", the way on.
Result<void> check_pins(const Job& job, const DesiredCatalog& catalog, const std::string& again);

enum class Again { resume, retry };
// With what the job pins. with_current: with the destination and the transforms that are there now; the job keeps both. The
// source cannot be another: what is in it was not there at the submit. On an error the job is as before.
Result<void> start_again(Job& job, Again how, bool with_current, const DesiredCatalog& catalog, std::int64_t now_unix_ns);

}  // namespace millrace::scheduler
