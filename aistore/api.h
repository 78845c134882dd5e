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
    Task<void> act(http::Request& request, http::Response& response, const std::string& bucket);
    Task<void> list_buckets(http::Request& request, http::Response& response);
    Task<void> read(http::Request& request, http::Response& response, const std::string& bucket);
    Task<void> head(http::Request& request, http::Response& response, const std::string& bucket);
    Task<void> info(http::Request& request, http::Response& response, const std::string& bucket, std::string prefix);
    Task<void> list_objects(http::Request& request, http::Response& response, const std::string& bucket, const ActionMessage& message);
    Task<void> summarize(http::Response& response, const std::string& bucket, const ActionMessage& message);
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
    Task<void> map(http::Request& request, http::Response& response);
    Task<void> configuration(http::Response& response);
    Task<void> health(http::Response& response);
    Task<void> node(http::Request& request, http::Response& response);
    Task<void> refuse(http::Request& request, http::Response& response);

    scheduler::ProxyCore& core_;
};

// Jobs, which AIStore asks of the cluster: /v1/cluster?what=status and the like.
class JobApi {
public:
    explicit JobApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<void> status(http::Request& request, http::Response& response);
    Task<void> snapshots(http::Request& request, http::Response& response);
    Task<void> list(http::Request& request, http::Response& response);
    Task<void> running(http::Request& request, http::Response& response);
    Task<void> command(http::Request& request, http::Response& response);

    scheduler::ProxyCore& core_;
};

// /v1/etl: transforms.
class EtlApi {
public:
    explicit EtlApi(scheduler::ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<void> init(http::Request& request, http::Response& response);
    Task<void> list(http::Response& response);
    Task<void> view(http::Request& request, http::Response& response, const std::string& name);
    Task<void> view_job(http::Response& response, const std::string& head, const std::string& job);
    Task<void> logs(http::Response& response, const std::string& name, std::string target);
    Task<void> standing(http::Response& response, const std::string& name, bool health);
    Task<void> enable(http::Response& response, const std::string& name, bool enabled);
    Task<void> remove(http::Response& response, const std::string& name);

    scheduler::ProxyCore& core_;
};

}  // namespace millrace::aistore
