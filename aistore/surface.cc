#include "aistore/surface.h"

#include "aistore/api.h"

namespace millrace::aistore {
namespace {

struct Surface {
    explicit Surface(scheduler::ProxyCore& core)
        : buckets(core.state(), core.catalog(), core.jobs(), core.targets(), core.large_bodies()), cluster(core.state(), core.control(), core.targets()),
          jobs(core.state(), core.jobs()), etls(core.state(), core.catalog(), core.jobs(), core.targets()) {}

    BucketApi buckets;
    ClusterApi cluster;
    JobApi jobs;
    EtlApi etls;
};

}  // namespace

std::shared_ptr<void> add_surface(scheduler::ProxyCore& core, http::Router& router) {
    auto surface = std::make_shared<Surface>(core);
    surface->buckets.add_routes(router);
    surface->cluster.add_routes(router);
    surface->jobs.add_routes(router);
    surface->etls.add_routes(router);
    return surface;
}

}  // namespace millrace::aistore
