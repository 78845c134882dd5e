// HTTP on objects: put, get, head, delete, custom metadata, copies, append and multipart upload, on the target that owns the name.
// Requests for a name that another target owns are redirected there. Handlers run on the lane of the connection.
#pragma once
#include <string>

#include "core/config.h"
#include "http/router.h"
#include "store/drafts.h"
#include "store/object_store.h"
#include "worker/cluster_view.h"
#include "worker/draft_api.h"
#include "worker/fences.h"
#include "worker/inline_transform.h"
#include "worker/object_copy.h"

namespace millrace::worker {

class ObjectApi {
public:
    ObjectApi(store::ObjectStore& store, store::Drafts& drafts, const ClusterView& cluster, Fences& fences, InlineTransform& inline_transform,
              const TargetConfig& config, std::string boot_id);

    void add_routes(http::Router& router);
    // Answers a GET or HEAD of an object of this target.
    Task<Result<void>> send(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

private:
    // May leave an error to be sent.
    using Handler = Task<Result<void>> (ObjectApi::*)(http::Request&, http::Response&, const std::string& bucket, const std::string& name);
    void add_route(http::Router& router, const char* method, http::Access access, int redirect_status, Handler handler);
    Task<Result<void>> answer(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name, int redirect_status,
                      Handler handler);

    Task<Result<void>> put(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> get(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> remove(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> command(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> patch(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

    Task<Result<void>> copy(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<store::ObjectInfo>> store_body(http::Request& request, const std::string& bucket, const std::string& name);
    Task<Result<void>> send_object(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> refuse_other_deletions(http::Request& request) const;
    // True when another target owns the name: the redirect, or why there is none, was sent.
    Error unknown_bucket(const std::string& bucket) const;

    store::ObjectStore& store_;
    const ClusterView& cluster_;
    Fences& fences_;
    InlineTransform& inline_;
    DraftApi drafts_;
    ObjectCopy copies_;
    const bool sync_puts_;
    const std::string boot_id_;
};

}  // namespace millrace::worker
