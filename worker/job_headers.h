// The request headers with which an output of a job travels to the target that owns its name: whose it is, and from what it
// was made. Pure.
#pragma once
#include <map>
#include <optional>

#include "core/ids.h"
#include "http/message.h"
#include "store/object_store.h"

namespace millrace::worker {

struct JobPut {
    JobId job;
    TargetId slice;           // the target that ran the transform
    std::uint64_t fence = 0;  // fences.h
    store::Provenance provenance;
    std::map<std::string, std::string> custom{};  // metadata that a copy keeps
    std::string bucket_uid{};                     // of the destination; empty: whatever has its name
    std::optional<std::uint64_t> checksum{};      // of the content, where it is known before; goes out as for any put
};

void add_job_headers(http::Headers& headers, const JobPut& put);
// nullopt when the request is not from a job; Code::invalid_argument when its headers are incomplete.
Result<std::optional<JobPut>> read_job_headers(const http::Headers& headers);

}  // namespace millrace::worker
