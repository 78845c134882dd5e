#include "worker/job_headers.h"


#include "core/hash.h"
#include "core/uri.h"
#include "core/whole_number.h"

namespace millrace::worker {
namespace {

Result<std::uint64_t> number(const http::Headers& headers, std::string_view name) {
    const auto value = parse_whole<std::uint64_t>(headers.find(name).value_or(""));
    if (!value) return fail(Code::invalid_argument, "header " + std::string(name) + " is not a number");
    return *value;
}

}  // namespace

void add_job_headers(http::Headers& headers, const JobPut& put) {
    const store::Provenance& made = put.provenance;
    headers.set("Millrace-Job", put.job.str());
    headers.set("Millrace-Slice", put.slice.str());
    headers.set("Millrace-Fence", std::to_string(put.fence));
    headers.set("Millrace-Epoch", std::to_string(made.epoch));
    headers.set("Millrace-Source-Bucket", made.source_bucket);
    headers.set("Millrace-Source-Name", encode_object_path(made.source_name));
    headers.set("Millrace-Source-Version", std::to_string(made.source_version));
    headers.set("Millrace-Source-Checksum", std::to_string(made.source_checksum));
    headers.set("Millrace-Transform-Digest", std::to_string(made.transform_digest));
    if (!put.bucket_uid.empty()) headers.set("Millrace-Bucket-Uid", put.bucket_uid);
    if (put.checksum) {
        headers.set("Ais-Checksum-Type", "xxhash2");
        headers.set("Ais-Checksum-Value", checksum_text(*put.checksum));
    }
    if (put.custom.empty()) return;
    Query custom;
    for (const auto& [key, value] : put.custom) custom.add(key, value);
    headers.set("Millrace-Custom", custom.text());
}

Result<std::optional<JobPut>> read_job_headers(const http::Headers& headers) {
    const auto job = headers.find("Millrace-Job");
    if (!job) return std::optional<JobPut>();
    JobPut put;
    put.job = JobId(std::string(*job));
    put.slice = TargetId(std::string(headers.find("Millrace-Slice").value_or("")));
    MILLRACE_TRY_ASSIGN(put.fence, number(headers, "Millrace-Fence"));
    put.bucket_uid = headers.find("Millrace-Bucket-Uid").value_or("");
    put.provenance.job = put.job.str();
    MILLRACE_TRY_ASSIGN(put.provenance.epoch, number(headers, "Millrace-Epoch"));
    put.provenance.source_bucket = headers.find("Millrace-Source-Bucket").value_or("");
    MILLRACE_TRY_ASSIGN(put.provenance.source_name, percent_decode(headers.find("Millrace-Source-Name").value_or("")));
    MILLRACE_TRY_ASSIGN(put.provenance.source_version, number(headers, "Millrace-Source-Version"));
    MILLRACE_TRY_ASSIGN(put.provenance.source_checksum, number(headers, "Millrace-Source-Checksum"));
    MILLRACE_TRY_ASSIGN(put.provenance.transform_digest, number(headers, "Millrace-Transform-Digest"));
    MILLRACE_TRY_ASSIGN(const Query custom, Query::parse(headers.find("Millrace-Custom").value_or("")));
    for (const auto& [key, value] : custom.items()) put.custom.emplace(key, value);
    if (put.job.empty() || put.slice.empty()) return fail(Code::invalid_argument, "a job's put must name job and slice");
    return std::optional<JobPut>(std::move(put));
}

}  // namespace millrace::worker
