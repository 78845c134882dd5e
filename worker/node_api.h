// HTTP between nodes, and what operators ask of one: listings, the failure ledger, the sync of a checkpoint barrier, logs of
// transforms, health and metrics. Handlers run on the lane of the connection.
//
//   GET  /v1/worker/objects?bucket=&prefix=&after=&limit=     msgpack: wire/listed_page.h
//        with &custom=true each has its custom metadata, where there is some
//        with &folded=true: what lies deeper is one entry "prefix/folder/"
//   GET  /v1/worker/summary?bucket=&prefix=&after=            {objects,bytes,smallest,largest,last,"at_end":…}
//   GET  /v1/worker/ledger?job=&after=&limit=                 {"rows":[…],"at_end":…}
//   GET  /v1/worker/verify?job=&after=&contents=             {"problems":[…],checked,kept,last,"at_end":…}: job_verification.h
//   POST /v1/worker/sync                                      200 with Millrace-Boot
//   GET  /v1/daemon                                           AIStore's clients ask any node for the cluster map: on to the proxy
//   GET  /v1/worker/logs?transform=   GET /v1/worker/inline_errors?transform=
#pragma once
#include <mutex>
#include <string>

#include "core/loop.h"
#include "http/router.h"
#include "state/slice_store.h"
#include "store/object_store.h"
#include "worker/cluster_view.h"
#include "worker/inline_transform.h"
#include "worker/job_verification.h"
#include "worker/transform_table.h"

namespace millrace::worker {

class NodeApi {
public:
    NodeApi(store::ObjectStore& store, Buckets& buckets, state::SliceStore& slices, BlockingPool& blocking, const TransformTable& transforms,
            const InlineTransform& inline_transform, const ClusterView& cluster, std::string boot_id,
            std::string exposed);  // what is wrong with where this target listens, or nothing

    void add_routes(http::Router& router);
    // Any thread: whether /health answers 200, and why not.
    void set_ready(std::string reason_not);
    // Any thread: why it does not, though it has joined; empty: nothing does.
    void set_obstacle(std::string reason);

private:
    Task<Result<void>> list(http::Request& request, http::Response& response);
    Task<Result<void>> summary(http::Request& request, http::Response& response);
    Task<Result<void>> ledger(http::Request& request, http::Response& response);
    Task<Result<void>> verify(http::Request& request, http::Response& response);
    Task<Result<void>> sync(http::Request& request, http::Response& response);
    Task<Result<void>> logs(http::Request& request, http::Response& response);
    Task<Result<void>> inline_errors(http::Request& request, http::Response& response);
    Task<Result<void>> ask_proxy(http::Request& request, http::Response& response);
    Task<Result<void>> health(http::Request& request, http::Response& response);
    Task<Result<void>> metrics(http::Request& request, http::Response& response);

    store::ObjectStore& store_;
    state::SliceStore& slices_;
    BlockingPool& blocking_;
    const TransformTable& transforms_;
    const InlineTransform& inline_;
    const ClusterView& cluster_;
    JobVerification verification_;
    const std::string boot_id_;
    const std::string exposed_;
    std::mutex mutex_;
    std::string not_ready_ = "not joined to a proxy";  // empty: ready; guarded by mutex_
    std::string obstacle_;                             // guarded by mutex_
};

}  // namespace millrace::worker
