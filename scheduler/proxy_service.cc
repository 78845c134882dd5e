#include "scheduler/proxy_service.h"

#include "core/file.h"
#include "core/kept_port.h"
#include "core/log.h"
#include "scheduler/proxy_api.h"
#include "state/families.h"
#include "state/format.h"

namespace millrace::scheduler {

// Members in start order: what is below uses what is above, and is destroyed first.
struct ProxyService::Impl {
    ProxyConfig config;
    std::string endpoint;
    std::unique_ptr<state::Kv> kv;
    std::unique_ptr<state::MetadataStore> metadata;
    Loop control{"control"};
    std::unique_ptr<ProxyCore> core;
    std::unique_ptr<ObjectApi> objects;
    std::unique_ptr<TransformApi> transforms;
    std::unique_ptr<JobApi> jobs;
    std::unique_ptr<ClusterApi> cluster;
    std::vector<std::shared_ptr<void>> surfaces;
    http::Router router;
    std::unique_ptr<http::Server> server;

    Result<void> open(const std::vector<Surface>& added);
    Result<void> begin();
    void stop();
};

Result<std::unique_ptr<ProxyService>> ProxyService::start(const ProxyConfig& config, const std::vector<Surface>& surfaces) {
    std::unique_ptr<ProxyService> service(new ProxyService(std::make_unique<Impl>()));
    service->impl_->config = config;
    MILLRACE_TRY(service->impl_->open(surfaces));
    MILLRACE_TRY(service->impl_->begin());
    return service;
}

ProxyService::ProxyService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProxyService::~ProxyService() { stop(); }
const std::string& ProxyService::endpoint() const { return impl_->endpoint; }
void ProxyService::stop() { impl_->stop(); }

Result<void> ProxyService::Impl::open(const std::vector<Surface>& added) {
    MILLRACE_TRY(make_folder(config.dir));
    MILLRACE_TRY(make_folder(config.dir + "/state"));
    state::KvOptions options;
    options.block_cache_bytes = 8 << 20;
    MILLRACE_TRY_ASSIGN(kv, state::Kv::open(config.dir + "/state", state::proxy_families(), options));
    MILLRACE_TRY(state::check_format(*kv, state::proxy_family::meta, "proxy"));
    metadata = state::make_embedded_metadata_store(*kv);
    MILLRACE_TRY_ASSIGN(core, ProxyCore::open(control, config, *metadata));
    objects = std::make_unique<ObjectApi>(*core);
    transforms = std::make_unique<TransformApi>(*core);
    jobs = std::make_unique<JobApi>(*core);
    cluster = std::make_unique<ClusterApi>(*core);
    objects->add_routes(router);
    transforms->add_routes(router);
    jobs->add_routes(router);
    cluster->add_routes(router);
    for (const Surface& surface : added) surfaces.push_back(surface(*core, router));
    return {};
}

Result<void> ProxyService::Impl::begin() {
    server = std::make_unique<http::Server>(std::vector<Executor>{control.executor()}, [this](http::Request& request, http::Response& response) {
        return router.handle(request, response);
    });
    const auto listen = [this](std::uint16_t port) { return server->listen(config.host, port); };
    MILLRACE_TRY_ASSIGN(const std::uint16_t port, listen_on_kept_port(config.dir + "/port", config.port, listen));
    MILLRACE_TRY(keep_port(config.dir + "/port", port));
    auto begin_control = [this, port]() -> Task<Result<void>> { co_return core->start(port); };
    MILLRACE_TRY(run_blocking(control, begin_control()));
    endpoint = http::Endpoint{config.host, port, ""}.text();
    MILLRACE_TRY(write_file(config.dir + "/endpoint", endpoint + "\n"));
    log::info("proxy started", {{"proxy", core->proxy_id()}, {"endpoint", endpoint}});
    return {};
}

void ProxyService::Impl::stop() {
    if (server) server->stop(std::chrono::seconds(2));
    server.reset();
    if (core) {
        run_blocking(control, core->stop());
        surfaces.clear();
        core.reset();
        log::info("proxy stopped");
    }
}

}  // namespace millrace::scheduler
