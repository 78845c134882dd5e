#include "worker/target_service.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/kept_port.h"
#include "core/file.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/short_waits.h"
#include "http/listener.h"
#include "state/families.h"
#include "state/format.h"
#include "state/store_watch.h"
#include "store/local_store.h"
#include "wire/bus.h"
#include "worker/callback_api.h"
#include "worker/catalog_keeper.h"
#include "worker/node_api.h"
#include "worker/object_api.h"
#include "worker/proxy_link.h"
#include "worker/slice_table.h"
#include "worker/target_state.h"

namespace millrace::worker {

// Members in start order: what is below uses what is above, and is destroyed first.
struct TargetService::Impl {
    TargetConfig config;
    std::string boot_id = random_id("b-");
    std::string endpoint;
    std::unique_ptr<state::Kv> kv;
    std::unique_ptr<store::LocalStore> store;
    std::unique_ptr<state::SliceStore> slice_store;
    std::unique_ptr<TargetState> state;
    std::unique_ptr<ClusterView> cluster;
    std::unique_ptr<Fences> fences;
    std::unique_ptr<SpoolFolder> spool;
    std::unique_ptr<BlockingPool> blocking;
    Loop control{"control"};
    std::unique_ptr<http::Client> client;  // of the control loop
    std::unique_ptr<Lanes> job_lanes;
    std::unique_ptr<Lanes> client_lanes;
    std::unique_ptr<TransformTable> transforms;
    std::unique_ptr<SliceTable> slices;
    std::unique_ptr<CatalogKeeper> catalog;
    std::unique_ptr<InlineTransform> inline_transform;
    std::unique_ptr<ObjectApi> object_api;
    std::unique_ptr<NodeApi> node_api;
    std::unique_ptr<CallbackApi> callback_api;
    http::Router router;
    http::Router callback_router;          // all that a container gets to see of this target
    std::optional<http::Listening> listening;
    std::unique_ptr<http::Server> server;
    std::unique_ptr<ProxyLink> link;
    TaskGroup housekeeping{control.executor()};
    Event stopping{control.executor()};
    state::StoreWatch store_watch;

    Result<void> open(bool accept_loss);
    void build();
    runtime::InstanceEnvironment instance_environment(std::shared_ptr<runtime::DirectPuts> direct_puts);
    Result<void> begin();
    Task<void> keep_catalog();
    Task<void> expire_drafts();
    Task<void> watch_store();
    void stop();
};

Result<std::unique_ptr<TargetService>> TargetService::start(const TargetConfig& config, bool accept_loss) {
    auto impl = std::make_unique<Impl>();
    impl->config = config;
    MILLRACE_TRY(impl->open(accept_loss));
    impl->build();
    std::unique_ptr<TargetService> service(new TargetService(std::move(impl)));
    MILLRACE_TRY(service->impl_->begin());
    return service;
}

TargetService::TargetService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TargetService::~TargetService() { stop(); }
const std::string& TargetService::endpoint() const { return impl_->endpoint; }
std::optional<std::string> TargetService::failure() const { return impl_->store_watch.failure(); }
void TargetService::stop() { impl_->stop(); }

Result<void> TargetService::Impl::open(bool accept_loss) {
    MILLRACE_TRY(make_folder(config.dir));
    MILLRACE_TRY(make_folder(config.dir + "/state"));
    state::KvOptions options;
    options.block_cache_bytes = config.block_cache_bytes;
    options.accept_loss = accept_loss;
    MILLRACE_TRY_ASSIGN(kv, state::Kv::open(config.dir + "/state", state::target_families(), options));
    MILLRACE_TRY(state::check_format(*kv, state::target_family::meta, "target"));
    store::LocalStoreOptions store_options;
    store_options.folder = config.dir;
    store_options.mountpaths = config.mountpaths;
    MILLRACE_TRY_ASSIGN(store, store::LocalStore::open(store_options, *kv));
    slice_store = std::make_unique<state::SliceStore>(*kv);
    MILLRACE_TRY_ASSIGN(TargetState loaded, TargetState::open(*kv, config.id));
    state = std::make_unique<TargetState>(std::move(loaded));
    if (accept_loss) state->accept_loss();
    for (const wire::BucketEntry& bucket : state->catalog().buckets) store->identify_bucket(bucket.name, bucket.uid);
    runtime::remove_leftovers(config.dir + "/run");
    MILLRACE_TRY_ASSIGN(SpoolFolder opened, SpoolFolder::open(config.dir + "/spool"));
    spool = std::make_unique<SpoolFolder>(std::move(opened));
    const auto listen = [this](std::uint16_t port) { return http::listen_tcp(config.host, port); };
    MILLRACE_TRY_ASSIGN(http::Listening bound, listen_on_kept_port(config.dir + "/port", config.port, listen));
    listening.emplace(std::move(bound));
    endpoint = http::Endpoint{config.host, listening->port, ""}.text();
    return {};
}

void TargetService::Impl::build() {
    const std::uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
    cluster = std::make_unique<ClusterView>(state->id());
    cluster->recall(state->map());
    fences = std::make_unique<Fences>(*slice_store);
    blocking = std::make_unique<BlockingPool>(4);
    client = std::make_unique<http::Client>(control.executor());
    const std::size_t lanes = config.lanes > 0 ? config.lanes : processors;
    job_lanes = std::make_unique<Lanes>("job-lane", 0, lanes);
    client_lanes = std::make_unique<Lanes>("client-lane", lanes, lanes);
    for (std::size_t i = 0; i < lanes; ++i) client_lanes->at(i).loop.post(prefer_short_waits);
    const auto direct_puts = std::make_shared<runtime::DirectPuts>();
    transforms = std::make_unique<TransformTable>(instance_environment(direct_puts), [this] {
        control.post([this] {
            if (slices) slices->kick_all();
            if (link) link->report_transforms();
        });
    });
    SliceEnvironment slice_environment{control, *job_lanes, *blocking, *client, *store, *slice_store, *fences, *spool, *transforms, *cluster, config, {}, {}};
    slices = std::make_unique<SliceTable>(slice_environment, [this](wire::Message message) {
        if (auto* status = std::get_if<wire::SliceStatus>(&message)) status->age = state->age();
        if (link) link->send(message);
    });
    catalog = std::make_unique<CatalogKeeper>(*store, *state, [this](const auto& wanted) { transforms->apply(wanted); });
    inline_transform = std::make_unique<InlineTransform>(*store, *spool, *transforms, config);
    object_api = std::make_unique<ObjectApi>(*store, store->drafts(), *cluster, *fences, *inline_transform, config, boot_id);
    node_api = std::make_unique<NodeApi>(*store, *slice_store, *blocking, *transforms, *inline_transform, *cluster, boot_id);
    callback_api = std::make_unique<CallbackApi>(*object_api, *transforms, direct_puts);
    callback_api->add_routes(router);
    callback_api->add_routes(callback_router);
    object_api->add_routes(router);
    node_api->add_routes(router);
}

runtime::InstanceEnvironment TargetService::Impl::instance_environment(std::shared_ptr<runtime::DirectPuts> direct_puts) {
    std::vector<Executor> all_lanes = job_lanes->executors();
    for (const Executor& executor : client_lanes->executors()) all_lanes.push_back(executor);
    runtime::InstanceEnvironment environment{control.executor(), std::move(all_lanes), config.dir + "/run"};
    environment.direct_puts = std::move(direct_puts);
    environment.callback_lanes = client_lanes->executors();
    environment.callbacks = [this](http::Request& request, http::Response& response) { return callback_router.handle(request, response); };
    const bool is_everywhere = config.host.empty() || config.host == "0.0.0.0";
    environment.target_url = is_everywhere ? http::Endpoint{"127.0.0.1", listening->port, ""}.text() : endpoint;
    environment.engine_socket = config.container_engine;
    environment.forking = config.fork_server ? runtime::ForkChoice::where_it_pays : runtime::ForkChoice::never;
    std::error_code ignored;
    const std::string folder = std::filesystem::absolute(config.dir, ignored).string();
    environment.target_folder = folder;
    environment.owner = state->id().str() + ":" + folder;
    environment.object_folders = store->object_folders();
    environment.object_folders.push_back(std::filesystem::absolute(spool->path(), ignored).string());
    return environment;
}

Result<void> TargetService::Impl::begin() {
    http::ServerOptions options;
    options.stall_time_max = config.body_idle_max_ms;
    const auto handle = [this](http::Request& request, http::Response& response) { return router.handle(request, response); };
    server = std::make_unique<http::Server>(client_lanes->executors(), handle, options);
    server->listen_on(listening->socket.release());
    MILLRACE_TRY(write_file(config.dir + "/endpoint", endpoint + "\n"));
    MILLRACE_TRY(keep_port(config.dir + "/port", listening->port));
    ProxyLink::Handlers handlers;
    handlers.directive = [this](wire::Directive directive) { return slices->receive(std::move(directive)); };
    handlers.status_ack = [this](const wire::StatusAck& ack) { slices->receive(ack); };
    handlers.catalog = [this](const wire::Catalog& wanted) { catalog->take(wanted, steady_now()); };
    handlers.problems = [this] { return catalog->problems(); };
    handlers.map = [this](const wire::ClusterMap& map) {
        cluster->update(map);
        if (auto written = state->set_map(map); !written) log::error("members could not be written down", {{"error", written.error()}});
        slices->kick_all();
    };
    handlers.proxy = [this](http::Endpoint proxy) { cluster->set_proxy(std::move(proxy)); };
    handlers.accepted = [this] { return slices->hold(); };
    handlers.joined = [this] {
        cluster->set_joined();
        node_api->set_ready("");
        slices->report_all();
        slices->release();
    };
    handlers.lost = [this] { node_api->set_ready("the proxy is silent"); };
    handlers.refused = [this](std::string reason) {
        node_api->set_ready("the proxy refuses this target: " + reason);
        cluster->set_refused(std::move(reason));
    };
    handlers.transforms = [this] { return transforms->report(); };
    handlers.running_slices = [this] { return slices->running(); };
    link = std::make_unique<ProxyLink>(control, config, *state, boot_id, endpoint, std::move(handlers));
    auto boot = [this]() -> Task<Result<void>> {
        const runtime::InstanceEnvironment& environment = transforms->environment();
        co_await runtime::remove_leftover_containers(environment.control, environment.target_folder, environment.owner);
        transforms->apply(state->catalog().transforms);
        MILLRACE_CO_TRY(slices->restore());
        housekeeping.spawn(expire_drafts());
        housekeeping.spawn(watch_store());
        housekeeping.spawn(keep_catalog());
        co_return link->start();
    };
    MILLRACE_TRY(run_blocking(control, boot()));
    log::info("target started", {{"target", state->id()}, {"endpoint", endpoint}, {"boot", boot_id}});
    return {};
}

Task<void> TargetService::Impl::expire_drafts() {
    constexpr auto kPause = std::chrono::minutes(1);
    auto expire = [this] { store->drafts().expire(); };
    while (!co_await stopping.wait_until(steady_now() + kPause)) co_await blocking->run(expire);
}

Task<void> TargetService::Impl::watch_store() {
    auto look = [this] { return kv->obstacle(); };
    while (!co_await stopping.wait_until(steady_now() + state::StoreWatch::kPause)) {
        const std::optional<state::KvObstacle> obstacle = co_await blocking->run(look);
        node_api->set_obstacle(store_watch.saw(obstacle));
    }
}

// What of the catalog could not be applied is tried again.
Task<void> TargetService::Impl::keep_catalog() {
    constexpr auto kPause = milliseconds(500);
    while (!co_await stopping.wait_until(steady_now() + kPause)) {
        if (catalog->tick(steady_now())) link->report_transforms();
    }
}

void TargetService::Impl::stop() {
    if (!server) return;
    auto wind_down = [this]() -> Task<void> {
        stopping.set();
        co_await housekeeping.join();
        if (link) co_await link->stop();
        co_await slices->stop();
        co_await transforms->stop();
    };
    // First: a server's direct put waits for the run that takes it.
    auto begin = [this] {
        slices->begin_stop();
        return 0;
    };
    run_blocking(control, call_on(control.executor(), begin));
    server->stop(std::chrono::seconds(2));
    run_blocking(control, wind_down());
    link.reset();
    server.reset();
    slices.reset();
    log::info("target stopped", {{"target", state->id()}});
}

}  // namespace millrace::worker
