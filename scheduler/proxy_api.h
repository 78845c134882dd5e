// The HTTP API of a proxy (API.md), one class per noun. Handlers run on the control loop, beside the state they speak of.
// Buckets have AIStore's paths and are in aistore/.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "http/router.h"
#include "scheduler/proxy_core.h"

namespace millrace::scheduler {

// Redirects object traffic to the owner; passes the bytes through for clients that ask for that.
class ObjectApi {
public:
    explicit ObjectApi(ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> route(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> pass_through(http::Request& request, http::Response& response, const http::Endpoint& owner);

    ProxyCore& core_;
};

class TransformApi {
public:
    explicit TransformApi(ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> add(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Response& response);
    Task<Result<void>> show(http::Response& response, const std::string& name);
    Task<Result<void>> control(http::Response& response, Task<Result<void>> change);
    Task<Result<void>> answer(http::Response& response, Task<Result<nlohmann::json>> question);

    ProxyCore& core_;
};

class JobApi {
public:
    explicit JobApi(ProxyCore& core) : core_(core) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> submit(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Request& request, http::Response& response);
    Task<Result<void>> show(http::Response& response, const std::string& id, int status);
    Task<Result<void>> command(http::Response& response, const std::string& id, Scheduler::Command change);
    Task<Result<void>> start_again(http::Request& request, http::Response& response, const std::string& id, Again how);
    Task<Result<void>> remove(http::Response& response, const std::string& id);
    Task<Result<void>> remove_old(http::Request& request, http::Response& response);
    Task<Result<void>> errors(http::Request& request, http::Response& response, const std::string& id);
    Task<Result<void>> report(http::Response& response, const std::string& id);
    Task<Result<void>> verify(http::Request& request, http::Response& response, const std::string& id);
    Task<Result<void>> events(http::Response& response, const std::string& id);
    Result<const LiveJob*> find(const std::string& id) const;

    ProxyCore& core_;
};

class ClusterApi {
public:
    explicit ClusterApi(ProxyCore& core) : core_(core), started_(steady_now()) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> show(http::Response& response);
    Task<Result<void>> accept(http::Response& response, const std::string& node);
    Task<Result<void>> health(http::Response& response);
    Task<Result<void>> metrics(http::Response& response);

    ProxyCore& core_;
    const Instant started_;
};

}  // namespace millrace::scheduler
