#include "scheduler/proxy_service.h"

#include <cstdlib>

#include "auth/front_door.h"
#include "core/file.h"
#include "core/kept_port.h"
#include "core/log.h"
#include "core/private_files.h"
#include "core/whole_number.h"
#include "http/tls_transport.h"
#include "scheduler/admission_api.h"
#include "scheduler/proxy_api.h"
#include "state/families.h"
#include "state/format.h"
#include "state/local_metadata_store.h"
#include "state/store_watch.h"
#include "wire/bus.h"

namespace millrace::scheduler {
namespace {

// Of "tcp://HOST:PORT".
std::uint16_t port_of(const std::string& endpoint) {
    return parse_whole<std::uint16_t>(std::string_view(endpoint).substr(endpoint.rfind(':') + 1)).value_or(0);
}

}  // namespace

// Members in start order: what is below uses what is above, and is destroyed first.
struct ProxyService::Impl {
    ProxyConfig config;
    std::string endpoint;
    std::unique_ptr<state::Kv> kv;
    Loop control{"control"};
    BlockingPool disk{1};   // for commits; a pool ends before the loop that its calls come from
    BlockingPool aside{1};  // for what is large
    std::unique_ptr<state::LocalMetadataStore> metadata;
    std::unique_ptr<ProxyCore> core;
    std::unique_ptr<ObjectApi> objects;
    std::unique_ptr<TransformApi> transforms;
    std::unique_ptr<JobApi> jobs;
    std::unique_ptr<ClusterApi> cluster;
    std::unique_ptr<TokenApi> tokens;
    wire::NodeKey node_key;
    std::shared_ptr<wire::AllowedKeys> allowed = std::make_shared<wire::AllowedKeys>();
    std::unique_ptr<AdmissionService> admission;  // null: the control plane is not protected
    std::unique_ptr<AdmissionApi> admission_api;
    std::string control_address;
    std::vector<std::shared_ptr<void>> surfaces;
    http::Router router;
    std::unique_ptr<auth::FrontDoor> door;
    std::shared_ptr<http::TlsContext> tls;  // null: it speaks plain HTTP
    std::unique_ptr<http::Server> server;
    TaskGroup housekeeping{control.executor()};
    Event stopping{control.executor()};
    state::StoreWatch store_watch;

    Result<void> open(const std::vector<Surface>& added, bool accept_loss);
    Result<void> begin();
    // Binds the control endpoint and writes it to <dir>/control_endpoint.
    Result<std::unique_ptr<wire::LinkToTargets>> open_link(wire::LinkToTargets::Receive receive);
    Task<void> watch_store();
    void stop();
};

Result<std::unique_ptr<ProxyService>> ProxyService::start(const ProxyConfig& config, const std::vector<Surface>& surfaces, bool accept_loss) {
    std::unique_ptr<ProxyService> service(new ProxyService(std::make_unique<Impl>()));
    service->impl_->config = config;
    MILLRACE_TRY(service->impl_->open(surfaces, accept_loss));
    MILLRACE_TRY(service->impl_->begin());
    return service;
}

ProxyService::ProxyService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProxyService::~ProxyService() { stop(); }
const std::string& ProxyService::endpoint() const { return impl_->endpoint; }
std::vector<http::Router::Entry> ProxyService::routes() const { return impl_->router.entries(); }
std::shared_ptr<const auth::NodeKeys> ProxyService::node_keys() const { return impl_->core->state().node_keys; }
std::optional<std::string> ProxyService::failure() const { return impl_->store_watch.failure(); }
void ProxyService::stop() { impl_->stop(); }

Result<void> ProxyService::Impl::open(const std::vector<Surface>& added, bool accept_loss) {
    MILLRACE_TRY(make_folder(config.dir));
    MILLRACE_TRY(make_folder(config.dir + "/state"));
    MILLRACE_TRY(make_private(config.dir + "/state"));
    MILLRACE_TRY_ASSIGN(door, auth::FrontDoor::open({config.dir, config.host, config.advertise, config.hosts, config.auth_key}));
    state::KvOptions options;
    options.block_cache_bytes = 8 << 20;
    options.accept_loss = accept_loss;
    MILLRACE_TRY_ASSIGN(kv, state::Kv::open(config.dir + "/state", state::proxy_families(), options));
    MILLRACE_TRY(state::check_format(*kv, state::proxy_family::meta, "proxy"));
    MILLRACE_TRY_ASSIGN(tls, http::server_tls({config.tls_certificate, config.tls_key, config.tls_ca}));
    metadata = std::make_unique<state::LocalMetadataStore>(*kv, disk);
    MILLRACE_TRY_ASSIGN(core, run_blocking(control, ProxyCore::open(control, aside, config, *metadata)));
    if (accept_loss) core->control().accept_loss();
    MILLRACE_TRY_ASSIGN(node_key, wire::open_node_key(config.dir));
    if (config.secure_control) {
        MILLRACE_TRY_ASSIGN(admission, run_blocking(control, AdmissionService::open(core->control(), *metadata, allowed)));
    }
    admission_api = std::make_unique<AdmissionApi>(admission.get(), node_key.public_key);
    admission_api->add_routes(router);
    const ClusterState& state = core->state();
    objects = std::make_unique<ObjectApi>(state, core->targets());
    transforms = std::make_unique<TransformApi>(state, core->catalog(), core->targets());
    jobs = std::make_unique<JobApi>(state, core->jobs(), core->control(), core->targets(), core->large_bodies());
    cluster = std::make_unique<ClusterApi>(state, core->control(), core->term(), exposure(config), !config.auth_key.empty());
    tokens = std::make_unique<TokenApi>(state, core->catalog());
    objects->add_routes(router);
    transforms->add_routes(router);
    jobs->add_routes(router);
    cluster->add_routes(router);
    tokens->add_routes(router);
    for (const Surface& surface : added) surfaces.push_back(surface(*core, router));
    door->guard(router, state.node_keys);
    const auto take_revoked = [this] { door->set_revoked(auth::Revocations::of(core->state().catalog.wire().revoked)); };
    core->control().call_when_catalog_changes(take_revoked);
    take_revoked();
    return {};
}

Result<void> ProxyService::Impl::begin() {
    http::ServerOptions options;
    options.stall_time_max = config.body_idle_max_ms;
    if (!is_loopback(config.host)) options.connections_per_peer_max = options.connections_max / 4;
    options.node = "p[" + core->state().proxy_id + "]";
    const auto handle = [this](http::Request& request, http::Response& response) { return router.handle(request, response); };
    server = std::make_unique<http::Server>(std::vector<Executor>{control.executor()}, handle, options);
    const auto listen = [this](std::uint16_t port) { return server->listen(config.host, port, http::server_transport(tls)); };
    MILLRACE_TRY_ASSIGN(const std::uint16_t port, listen_on_kept_port(config.dir + "/port", config.port, listen));
    MILLRACE_TRY(keep_port(config.dir + "/port", port));
    const ReachableAt place = reachable_at(config.host, config.advertise, port);
    endpoint = http::Endpoint{place.host, place.port, "", tls ? http::Scheme::https : http::Scheme::http}.text();
    auto begin_control = [this, port]() -> Task<Result<void>> {
        housekeeping.spawn(watch_store());
        const auto open = [this](wire::LinkToTargets::Receive receive) { return open_link(std::move(receive)); };
        MILLRACE_CO_TRY(core->control().start(port, open));
        admission_api->serves_at(endpoint, control_address);
        co_return Result<void>{};
    };
    MILLRACE_TRY(run_blocking(control, begin_control()));
    MILLRACE_TRY(write_file(config.dir + "/endpoint", endpoint + "\n"));
    log::info("proxy started", {{"proxy", core->state().proxy_id}, {"endpoint", endpoint}});
    return {};
}

Result<std::unique_ptr<wire::LinkToTargets>> ProxyService::Impl::open_link(wire::LinkToTargets::Receive receive) {
    auto bus = std::make_unique<wire::RouterBus>(control.executor(), std::move(receive));
    if (config.secure_control) MILLRACE_TRY(bus->protect(node_key, allowed));
    const auto bind = [&](std::uint16_t port) { return bus->bind("tcp://" + config.host + ":" + std::to_string(port)); };
    const std::string port_file = config.dir + "/control_port";
    MILLRACE_TRY_ASSIGN(const std::string bound, listen_on_kept_port(port_file, config.control_port, bind));
    MILLRACE_TRY(keep_port(port_file, port_of(bound)));
    // Targets stand behind the same mapped ports as the proxy, if there are any.
    const std::string host = is_every_address(config.host) ? reachable_at(config.host, config.advertise, 0).host : config.host;
    control_address = "tcp://" + http::Endpoint{host, port_of(bound), ""}.authority();
    MILLRACE_TRY(write_file(config.dir + "/control_endpoint", control_address + "\n"));
    log::info("control endpoint", {{"endpoint", control_address}, {"secure", bus->is_private()}, {"cluster", core->state().cluster_id}});
    return std::unique_ptr<wire::LinkToTargets>(std::move(bus));
}

// A look that takes up writing again waits for the disk, as a commit does.
Task<void> ProxyService::Impl::watch_store() {
    while (!co_await stopping.wait_until(steady_now() + state::StoreWatch::kPause)) {
        auto look = [this] { return kv->obstacle(); };
        const auto obstacle = co_await disk.run(std::move(look));
        core->control().set_obstacle(store_watch.saw(obstacle));
    }
}

void ProxyService::Impl::stop() {
    if (server) server->stop(std::chrono::seconds(2));
    server.reset();
    if (core) {
        auto wind_down = [this]() -> Task<void> {
            stopping.set();
            co_await housekeeping.join();
            co_await core->control().stop();
            surfaces.clear();
            admission.reset();
            core.reset();  // here: its connections are this loop's
        };
        run_blocking(control, wind_down());
        log::info("proxy stopped");
    }
}

}  // namespace millrace::scheduler
