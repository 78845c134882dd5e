// What the proxy asks of a target about the target itself. Handlers run on the lane of the connection.
//
//   GET /v1/worker/vitals                    core/vitals.h, and "requests": request_counts.h
//   GET /v1/worker/log?level=info&after=     {"log":"…","end":…}: core/log_tail.h
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "core/loop.h"
#include "core/vitals.h"
#include "http/router.h"
#include "worker/request_counts.h"

namespace millrace::worker {

class VitalsApi {
public:
    VitalsApi(std::vector<std::string> object_folders, const RequestCounts& counts, BlockingPool& blocking)
        : vitals_(std::move(object_folders)), counts_(counts), blocking_(blocking) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> vitals(http::Response& response);
    Task<Result<void>> log(http::Request& request, http::Response& response);

    std::mutex mutex_;
    Vitals vitals_;  // guarded by mutex_
    const RequestCounts& counts_;
    BlockingPool& blocking_;
};

}  // namespace millrace::worker
