// Headers of requests to a target: "NAME: VALUE" lines. A job's come out as they went in.
#include "core/check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/job_headers.h"
#include "worker/object_headers.h"

using namespace millrace;

void fuzz(std::string_view bytes) {
    http::Headers headers;
    while (!bytes.empty()) {
        const std::string_view line = bytes.substr(0, bytes.find('\n'));
        bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
        const std::size_t colon = line.find(": ");
        if (colon != line.npos) headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    }
    (void)worker::expected_content(headers);
    if (const auto custom = worker::custom_metadata(headers)) {
        http::Headers same;
        same.add("Millrace-Custom-Md", worker::exact_custom_text(*custom));
        const auto again = worker::custom_metadata(same);
        MILLRACE_CHECK(again && *again == *custom);
    }
    if (const auto put = worker::read_job_headers(headers); put && *put) {
        http::Headers same;
        worker::add_job_headers(same, **put);
        const auto again = worker::read_job_headers(same);
        MILLRACE_CHECK(again && *again && (*again)->job == (*put)->job && (*again)->slice == (*put)->slice && (*again)->fence == (*put)->fence);
        MILLRACE_CHECK((*again)->bucket_uid == (*put)->bucket_uid);
    }
}
