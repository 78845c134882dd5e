// Objects in AIStore's words: HTTP requests into calls of the object service, and what came of them into replies. Requests for a name that
// another target owns are redirected there. Handlers run on the lane of the connection.
#pragma once
#include <string>

#include "http/router.h"
#include "worker/cluster_view.h"
#include "worker/draft_api.h"
#include "worker/inline_transform.h"
#include "worker/object_service.h"
#include "worker/request_counts.h"

namespace millrace::worker {

class ObjectApi {
public:
    ObjectApi(ObjectService& objects, const ClusterView& cluster, InlineTransform& inline_transform, std::string boot_id)
        : objects_(objects), cluster_(cluster), inline_(inline_transform), drafts_(objects.uploads(), cluster.self()), boot_id_(std::move(boot_id)) {}

    void add_routes(http::Router& router);
    const RequestCounts& counts() const { return counts_; }
    // Answers a GET or HEAD of what is here, whoever owns the name.
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

    Task<Result<void>> rename(http::Response& response, const std::string& bucket, const std::string& name, const std::string& new_name);
    Task<Result<void>> tell_lock(http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> copy(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> send_content(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                    bool whoever_owns);
    Task<Result<void>> send_head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                 bool whoever_owns);

    ObjectService& objects_;
    const ClusterView& cluster_;
    InlineTransform& inline_;
    DraftApi drafts_;
    const std::string boot_id_;
    const RequestCounts counts_;
};

}  // namespace millrace::worker
