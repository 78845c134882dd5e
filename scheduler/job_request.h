// What a client submits, as JSON, made into a job: checked field by field, defaults filled in. Pure.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "wire/messages.h"

namespace millrace::scheduler {

struct JobRequest {
    wire::JobSpec spec;                // objects stays empty
    std::vector<std::string> objects;  // of a list selection, sorted, each once
    std::string json;                  // the request with defaults filled in; a list only as its count
};

// Errors name the field. Unknown keys are refused with a did-you-mean.
Result<JobRequest> parse_job_request(const std::string& body);

}  // namespace millrace::scheduler
