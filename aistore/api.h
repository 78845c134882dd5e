// The handlers of AIStore's paths, one class per noun. They run on the proxy's control loop, beside the state they speak of.
#pragma once
#include <string>

#include "aistore/message.h"
#include "http/router.h"
#include "scheduler/proxy_core.h"

namespace millrace::aistore {

// /v1/buckets: Millrace's own bucket API, too.
class BucketApi {
public:
    explicit BucketApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> act(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> list_buckets(http::Request& request, http::Response& response);
    Task<Result<void>> read(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> head(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> info(http::Request& request, http::Response& response, const std::string& bucket, std::string prefix);
    Task<Result<void>> list_objects(http::Request& request, http::Response& response, const std::string& bucket, const ActionMessage& message);
    Task<Result<void>> summarize(http::Response& response, const std::string& bucket, const ActionMessage& message);
    Task<Result<std::string>> carry_out(http::Request& request, const std::string& bucket);
    Task<Result<std::string>> submit(ActionMessage message, const std::string& bucket, const std::string& bucket_to);

    scheduler::ProxyCore& core_;
};

// The map, the state of the cluster and of its nodes.
class ClusterApi {
public:
    explicit ClusterApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> map(http::Request& request, http::Response& response);
    Task<Result<void>> configuration(http::Response& response);
    Task<Result<void>> health(http::Response& response);
    Task<Result<void>> node(http::Request& request, http::Response& response);
    Task<Result<void>> refuse(http::Request& request, http::Response& response);

    scheduler::ProxyCore& core_;
};

// Jobs, which AIStore asks of the cluster: /v1/cluster?what=status and the like.
class JobApi {
public:
    explicit JobApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> status(http::Request& request, http::Response& response);
    Task<Result<void>> snapshots(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Request& request, http::Response& response);
    Task<Result<void>> running(http::Request& request, http::Response& response);
    Task<Result<void>> command(http::Request& request, http::Response& response);

    scheduler::ProxyCore& core_;
};

// /v1/etl: transforms.
class EtlApi {
public:
    explicit EtlApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> init(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Response& response);
    Task<Result<void>> view(http::Request& request, http::Response& response, const std::string& name);
    Task<Result<void>> view_job(http::Response& response, const std::string& head, const std::string& job);
    Task<Result<void>> logs(http::Response& response, const std::string& name, std::string target);
    Task<Result<void>> standing(http::Response& response, const std::string& name, bool health);
    Task<Result<void>> enable(http::Response& response, const std::string& name, bool enabled);
    Task<Result<void>> remove(http::Response& response, const std::string& name);

    scheduler::ProxyCore& core_;
};

}  // namespace millrace::aistore
