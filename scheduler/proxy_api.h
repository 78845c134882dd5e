// The HTTP API of a proxy (API.md), one class per noun. Handlers run on the control loop, beside the state they speak of.
// Buckets have AIStore's paths and are in aistore/.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "http/router.h"
#include "scheduler/catalog_service.h"
#include "scheduler/job_service.h"
#include "scheduler/large_body.h"
#include "scheduler/target_directory.h"

namespace millrace::scheduler {

// Redirects object traffic to the owner; passes the bytes through for clients that ask for that.
class ObjectApi {
public:
    ObjectApi(const ClusterState& state, const TargetDirectory& targets) : state_(state), targets_(targets) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> route(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    Task<Result<void>> pass_through(http::Request& request, http::Response& response, const TargetId& owner, const http::Endpoint& endpoint);

    const ClusterState& state_;
    const TargetDirectory& targets_;
};

class TransformApi {
public:
    TransformApi(const ClusterState& state, CatalogService& catalog, const TargetDirectory& targets)
        : state_(state), catalog_(catalog), targets_(targets) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> add(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Response& response);
    Task<Result<void>> show(http::Response& response, const std::string& name);
    Task<Result<void>> control(http::Response& response, Task<Result<void>> change);
    Task<Result<void>> logs(http::Request& request, http::Response& response, const std::string& name);
    Task<Result<void>> answer(http::Response& response, Task<Result<nlohmann::json>> question);

    const ClusterState& state_;
    CatalogService& catalog_;
    const TargetDirectory& targets_;
};

class JobApi {
public:
    JobApi(const ClusterState& state, JobService& jobs, ControlPlane& control, const TargetDirectory& targets, LargeBodies& bodies)
        : state_(state), jobs_(jobs), control_(control), targets_(targets), bodies_(bodies) {}
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
    // Whether its maker may ask that of the job.
    Result<void> check(const http::Request& request, const std::string& id) const;

    const ClusterState& state_;
    JobService& jobs_;
    ControlPlane& control_;
    const TargetDirectory& targets_;
    LargeBodies& bodies_;
};

// Which tokens are refused before they expire.
class TokenApi {
public:
    TokenApi(const ClusterState& state, CatalogService& catalog) : state_(state), catalog_(catalog) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> list(http::Response& response);
    Task<Result<void>> revoke(http::Request& request, http::Response& response);

    const ClusterState& state_;
    CatalogService& catalog_;
};

class ClusterApi {
public:
    // exposed: what is wrong with where this proxy listens, or nothing. asks: whether users are asked for tokens.
    ClusterApi(const ClusterState& state, ControlPlane& control, std::uint64_t term, std::string exposed, bool asks)
        : state_(state), control_(control), term_(term), exposed_(std::move(exposed)), asks_(asks), started_(steady_now()) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> show(http::Response& response);
    Task<Result<void>> accept(http::Response& response, const std::string& node);
    Task<Result<void>> health(http::Response& response);
    Task<Result<void>> metrics(http::Response& response);
    // Nodes that anybody on the network may use, in words.
    std::vector<std::string> insecure() const;

    const ClusterState& state_;
    ControlPlane& control_;
    const std::uint64_t term_;
    const std::string exposed_;
    const bool asks_;
    const Instant started_;
};

}  // namespace millrace::scheduler
