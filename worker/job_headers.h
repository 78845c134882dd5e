// The request headers with which an output of a job travels to the target that owns its name: whose it is, and from what it
// was made. Pure.
#pragma once
#include <optional>

#include "http/message.h"
#include "worker/job_put.h"

namespace millrace::worker {

void add_job_headers(http::Headers& headers, const JobPut& put);
// nullopt when the request is not from a job; Code::invalid_argument when its headers are incomplete.
Result<std::optional<JobPut>> read_job_headers(const http::Headers& headers);

}  // namespace millrace::worker
