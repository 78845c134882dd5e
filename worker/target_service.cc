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
#include "store/local_store.h"
#include "wire/bus.h"
#include "worker/callback_api.h"
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

    Result<void> open();
    void build();
    runtime::InstanceEnvironment instance_environment(std::shared_ptr<runtime::DirectPuts> direct_puts);
    Result<void> begin();
    void apply_catalog(const wire::Catalog& catalog);
    Task<void> expire_drafts();
    void stop();
};

Result<std::unique_ptr<TargetService>> TargetService::start(const TargetConfig& config) {
    auto impl = std::make_unique<Impl>();
    impl->config = config;
    MILLRACE_TRY(impl->open());
    impl->build();
    std::unique_ptr<TargetService> service(new TargetService(std::move(impl)));
    MILLRACE_TRY(service->impl_->begin());
    return service;
}

TargetService::TargetService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TargetService::~TargetService() { stop(); }
const std::string& TargetService::endpoint() const { return impl_->endpoint; }
void TargetService::stop() { impl_->stop(); }

Result<void> TargetService::Impl::open() {
    MILLRACE_TRY(make_folder(config.dir));
    MILLRACE_TRY(make_folder(config.dir + "/state"));
    state::KvOptions options;
    options.block_cache_bytes = config.block_cache_bytes;
    MILLRACE_TRY_ASSIGN(kv, state::Kv::open(config.dir + "/state", state::target_families(), options));
    MILLRACE_TRY(state::check_format(*kv, state::target_family::meta, "target"));
    store::LocalStoreOptions store_options;
    store_options.folder = config.dir;
    store_options.mountpaths = config.mountpaths;
    MILLRACE_TRY_ASSIGN(store, store::LocalStore::open(store_options, *kv));
    slice_store = std::make_unique<state::SliceStore>(*kv);
    MILLRACE_TRY_ASSIGN(TargetState loaded, TargetState::open(*kv, config.id));
    state = std::make_unique<TargetState>(std::move(loaded));
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
    SliceEnvironment slice_environment{control, *job_lanes, *blocking, *client, *store, *slice_store, *spool, *transforms, *cluster, config, {}};
    slices = std::make_unique<SliceTable>(slice_environment, *fences, [this](const wire::Message& message) {
        if (link) link->send(message);
    });
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
    server = std::make_unique<http::Server>(client_lanes->executors(), [this](http::Request& request, http::Response& response) {
        return router.handle(request, response);
    });
    server->listen_on(listening->socket.release());
    MILLRACE_TRY(write_file(config.dir + "/endpoint", endpoint + "\n"));
    MILLRACE_TRY(keep_port(config.dir + "/port", listening->port));
    ProxyLink::Handlers handlers;
    handlers.directive = [this](wire::Directive directive) { return slices->receive(std::move(directive)); };
    handlers.status_ack = [this](const wire::StatusAck& ack) { slices->receive(ack); };
    handlers.catalog = [this](const wire::Catalog& catalog) { apply_catalog(catalog); };
    handlers.map = [this](const wire::ClusterMap& map) {
        cluster->update(map);
        if (auto written = state->set_map(map); !written) log::error("members could not be written down", {{"error", written.error()}});
        slices->kick_all();
    };
    handlers.proxy = [this](http::Endpoint proxy) { cluster->set_proxy(std::move(proxy)); };
    handlers.joined = [this] {
        node_api->set_ready(true);
        slices->report_all();
    };
    handlers.lost = [this] { node_api->set_ready(false); };
    handlers.transforms = [this] { return transforms->report(); };
    handlers.running_slices = [this] { return slices->running(); };
    link = std::make_unique<ProxyLink>(control, config, *state, boot_id, endpoint, std::move(handlers));
    auto boot = [this]() -> Task<Result<void>> {
        const runtime::InstanceEnvironment& environment = transforms->environment();
        co_await runtime::remove_leftover_containers(environment.control, environment.target_folder, environment.owner);
        transforms->apply(state->catalog().transforms);
        MILLRACE_CO_TRY(slices->restore());
        housekeeping.spawn(expire_drafts());
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

// Buckets go only when the catalog says that this very bucket was destroyed; data is never removed because an entry is missing.
void TargetService::Impl::apply_catalog(const wire::Catalog& catalog) {
    wire::Catalog known = state->catalog();
    const auto is_destroyed = [&](const wire::BucketEntry& bucket) {
        return std::ranges::find(catalog.destroyed_uids, bucket.uid) != catalog.destroyed_uids.end();
    };
    for (const wire::BucketEntry& bucket : known.buckets) {
        const std::string name = store->renamed_bucket(bucket.uid).value_or(bucket.name);
        if (!is_destroyed(bucket) || !store->has_bucket(name)) continue;
        if (auto destroyed = store->destroy_bucket(name); !destroyed) {
            log::error("bucket could not be destroyed", {{"bucket", name}, {"error", destroyed.error()}});
            return;  // the catalog stays at its old version, and comes again
        }
        log::info("bucket destroyed", {{"bucket", name}});
    }
    bool differs = std::erase_if(known.buckets, is_destroyed) > 0;
    std::vector<store::BucketRenaming> renamings;
    for (wire::BucketEntry& bucket : known.buckets) {
        const auto wanted = std::ranges::find(catalog.buckets, bucket.uid, &wire::BucketEntry::uid);
        if (wanted == catalog.buckets.end() || wanted->name == bucket.name) continue;
        renamings.push_back({bucket.uid, std::exchange(bucket.name, wanted->name), wanted->name});
    }
    if (auto renamed = store->rename_buckets(renamings); !renamed) {
        log::error("buckets could not be renamed", {{"error", renamed.error()}});
        return;
    }
    for (const store::BucketRenaming& renaming : renamings) log::info("bucket renamed", {{"bucket", renaming.from}, {"name", renaming.to}});
    differs = differs || !renamings.empty();
    // Known as gone, or under its new name, before a bucket of the same name comes: a crash in between must not take that one for it.
    if (differs) {
        if (auto written = state->set_catalog(known); !written) {
            log::error("catalog could not be written down", {{"error", written.error()}});
            return;
        }
    }
    for (const wire::BucketEntry& bucket : catalog.buckets) {
        if (store->has_bucket(bucket.name)) continue;
        if (auto created = store->create_bucket(bucket.name, bucket.small_object_bytes_max); !created) {
            log::error("bucket could not be created", {{"bucket", bucket.name}, {"error", created.error()}});
            return;
        }
        log::info("bucket created", {{"bucket", bucket.name}});
    }
    if (auto written = state->set_catalog(catalog); !written) {
        log::error("catalog could not be written down", {{"error", written.error()}});
        return;
    }
    transforms->apply(catalog.transforms);
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
    server->stop(std::chrono::seconds(2));
    run_blocking(control, wind_down());
    link.reset();
    server.reset();
    slices.reset();
    log::info("target stopped", {{"target", state->id()}});
}

}  // namespace millrace::worker
