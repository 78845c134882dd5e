// HTTP on objects: put, get, head, delete, on the target that owns the name. Requests for a name that another target owns are
// redirected there. Handlers run on the lane of the connection.
#pragma once
#include <string>

#include "core/config.h"
#include "http/router.h"
#include "store/object_store.h"
#include "worker/cluster_view.h"
#include "worker/fences.h"
#include "worker/inline_transform.h"

namespace millrace::worker {

class ObjectApi {
public:
    ObjectApi(store::ObjectStore& store, const ClusterView& cluster, Fences& fences, InlineTransform& inline_transform, const TargetConfig& config,
              std::string boot_id);

    void add_routes(http::Router& router);
    // Answers a GET or HEAD of an object of this target.
    Task<void> send(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

private:
    using Parameters = http::PathParameters;
    Task<void> put(http::Request& request, http::Response& response, const Parameters& path);
    Task<void> get(http::Request& request, http::Response& response, const Parameters& path);
    Task<void> head(http::Request& request, http::Response& response, const Parameters& path);
    Task<void> remove(http::Request& request, http::Response& response, const Parameters& path);
    Task<Result<store::ObjectInfo>> store_body(http::Request& request, const std::string& bucket, const std::string& name);
    Task<Result<void>> send_object(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    http::Headers describe(const store::ObjectInfo& info) const;
    // True when another target owns the name: the redirect, or why there is none, was sent.
    Task<bool> redirected(http::Request& request, http::Response& response, const std::string& name, int status);
    Error unknown_bucket(const std::string& bucket) const;

    store::ObjectStore& store_;
    const ClusterView& cluster_;
    Fences& fences_;
    InlineTransform& inline_;
    const bool sync_puts_;
    const std::string boot_id_;
};

}  // namespace millrace::worker
