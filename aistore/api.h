// The handlers of AIStore's paths, one class per noun. They run on the proxy's control loop, beside the state they speak of.
#pragma once
#include <string>
#include <vector>

#include "aistore/job_view.h"
#include "aistore/message.h"
#include "aistore/node_view.h"
#include "core/vitals.h"
#include "http/router.h"
#include "scheduler/catalog_service.h"
#include "scheduler/job_service.h"
#include "scheduler/large_body.h"
#include "scheduler/target_directory.h"

namespace millrace::aistore {

// /v1/buckets: Millrace's own bucket API, too.
class BucketApi {
public:
    BucketApi(const scheduler::ClusterState& state, scheduler::CatalogService& catalog, scheduler::JobService& jobs,
              const scheduler::TargetDirectory& targets, scheduler::LargeBodies& bodies)
        : state_(state), catalog_(catalog), jobs_(jobs), targets_(targets), bodies_(bodies) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> act(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> set_props(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> list_buckets(http::Request& request, http::Response& response);
    Task<Result<void>> read(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> head(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> info(http::Request& request, http::Response& response, const std::string& bucket, std::string prefix);
    Task<Result<void>> list_objects(http::Request& request, http::Response& response, const std::string& bucket, const ActionMessage& message);
    Task<Result<void>> shares(http::Request& request, http::Response& response, const std::string& bucket);
    Task<Result<void>> summarize(http::Response& response, std::vector<std::string> buckets, const ActionMessage& message);
    Task<std::uint64_t> measure_disks();
    Task<Result<std::string>> carry_out(http::Request& request, const std::string& bucket);
    Task<Result<std::string>> submit(http::Request& request, ActionMessage message, const std::string& bucket, const std::string& bucket_to);

    const scheduler::ClusterState& state_;
    scheduler::CatalogService& catalog_;
    scheduler::JobService& jobs_;
    const scheduler::TargetDirectory& targets_;
    scheduler::LargeBodies& bodies_;
};

// The map, the state of the cluster and of its nodes.
class ClusterApi {
public:
    ClusterApi(const scheduler::ClusterState& state, const scheduler::ControlPlane& control, const scheduler::TargetDirectory& targets)
        : state_(state), control_(control), targets_(targets) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> health(http::Response& response);
    Task<Result<void>> cluster(http::Request& request, http::Response& response);
    Task<Result<void>> node(http::Request& request, http::Response& response);
    Task<Result<void>> log_of(http::Request& request, http::Response& response, const std::string& id);
    Task<Result<void>> set_configuration(http::Request& request, http::Response& response);
    Task<NodeReport> report(std::string id, std::string proxy_url);
    Task<std::vector<NodeReport>> reports(std::string proxy_url);

    const scheduler::ClusterState& state_;
    const scheduler::ControlPlane& control_;
    const scheduler::TargetDirectory& targets_;
    Vitals vitals_{std::vector<std::string>{}};  // of this proxy, which keeps no objects
    const Instant started_ = steady_now();
};

// Jobs, which AIStore asks of the cluster: /v1/cluster?what=status and the like.
class JobApi {
public:
    JobApi(const scheduler::ClusterState& state, scheduler::JobService& jobs) : state_(state), jobs_(jobs) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> status(http::Request& request, http::Response& response);
    Task<Result<void>> snapshots(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Request& request, http::Response& response);
    Task<Result<void>> running(http::Request& request, http::Response& response);
    Task<Result<void>> other_jobs(http::Request& request, http::Response& response);
    Task<Result<void>> command(http::Request& request, http::Response& response);
    Task<Result<void>> start(http::Response& response, const JobFilter& filter);
    Task<Result<void>> stop(http::Request& request, http::Response& response, const JobFilter& filter);

    const scheduler::ClusterState& state_;
    scheduler::JobService& jobs_;
};

// /v1/etl: transforms.
class EtlApi {
public:
    EtlApi(const scheduler::ClusterState& state, scheduler::CatalogService& catalog, scheduler::JobService& jobs,
           const scheduler::TargetDirectory& targets)
        : state_(state), catalog_(catalog), jobs_(jobs), targets_(targets) {}
    void add_routes(http::Router& router);

private:
    Task<Result<void>> init(http::Request& request, http::Response& response);
    Task<Result<void>> list(http::Response& response);
    Task<Result<void>> view(http::Request& request, http::Response& response, const std::string& name);
    Task<Result<void>> view_job(http::Response& response, const std::string& head, const std::string& job);
    Task<Result<void>> logs(http::Response& response, const std::string& name, std::string target);
    Task<Result<void>> standing(http::Response& response, const std::string& name, bool health);
    Task<Result<void>> enable(http::Response& response, const std::string& name, bool enabled);
    Task<Result<void>> remove(http::Request& request, http::Response& response, const std::string& name);

    const scheduler::ClusterState& state_;
    scheduler::CatalogService& catalog_;
    scheduler::JobService& jobs_;
    const scheduler::TargetDirectory& targets_;
};

}  // namespace millrace::aistore
