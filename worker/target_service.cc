#include "runtime/sandbox_host.h"
#include "worker/target_service.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "auth/front_door.h"
#include "core/kept_port.h"
#include "core/file.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/private_files.h"
#include "core/short_waits.h"
#include "http/listener.h"
#include "http/tls_transport.h"
#include "state/families.h"
#include "state/format.h"
#include "state/store_watch.h"
#include "store/local_store.h"
#include "wire/bus.h"
#include "worker/callback_api.h"
#include "worker/joining.h"
#include "worker/local_buckets.h"
#include "worker/node_api.h"
#include "worker/object_api.h"
#include "worker/target_core.h"
#include "worker/vitals_api.h"

namespace millrace::worker {

// Members in start order: what is below uses what is above, and is destroyed first.
struct TargetService::Impl {
    TargetConfig config;
    std::string boot_id = random_id("b-");
    std::string endpoint;
    wire::NodeKey node_key;
    std::unique_ptr<state::Kv> kv;
    std::unique_ptr<store::LocalStore> store;
    std::unique_ptr<LocalBuckets> buckets;
    std::unique_ptr<state::SliceStore> slice_store;
    std::unique_ptr<TargetState> state;
    std::unique_ptr<SpoolFolder> spool;
    Loop control{"control"};
    std::unique_ptr<BlockingPool> blocking;  // ends before the loop that its calls come from
    std::unique_ptr<http::Client> client;  // of the control loop
    std::unique_ptr<Lanes> job_lanes;
    std::unique_ptr<Lanes> client_lanes;
    std::unique_ptr<TransformTable> transforms;
    std::unique_ptr<ObjectExecution> objects;
    std::unique_ptr<TargetCore> core;
    std::unique_ptr<InlineTransform> inline_transform;
    std::unique_ptr<ObjectService> object_service;
    std::unique_ptr<ObjectApi> object_api;
    std::unique_ptr<NodeApi> node_api;
    std::unique_ptr<VitalsApi> vitals_api;
    std::unique_ptr<CallbackApi> callback_api;
    http::Router router;
    std::unique_ptr<auth::FrontDoor> door;
    std::shared_ptr<http::TlsContext> tls;  // null: it speaks plain HTTP
    http::Router callback_router;          // all that servers of transforms get to see of this target
    std::optional<http::Listening> listening;
    std::unique_ptr<http::Server> server;
    TaskGroup housekeeping{control.executor()};
    Event stopping{control.executor()};
    state::StoreWatch store_watch;

    Result<void> open(bool accept_loss, const std::string& join_code);
    // Where the proxy is, if the configuration does not say so.
    Result<void> find_proxy(const std::string& join_code);
    Result<std::string> proxy_key() const;
    void build();
    std::string run_folder() const;
    runtime::InstanceEnvironment instance_environment(std::shared_ptr<runtime::DirectPuts> direct_puts);
    std::unique_ptr<TargetCore> make_core();
    Result<std::unique_ptr<wire::LinkToProxy>> connect(const std::string& address, const std::string& route, wire::LinkToProxy::Receive receive);
    Result<void> begin();
    Task<void> expire_drafts();
    Task<void> watch_store();
    void stop();
};

Result<std::unique_ptr<TargetService>> TargetService::start(const TargetConfig& config, bool accept_loss, const std::string& join_code) {
    auto impl = std::make_unique<Impl>();
    impl->config = config;
    MILLRACE_TRY(impl->open(accept_loss, join_code));
    impl->build();
    std::unique_ptr<TargetService> service(new TargetService(std::move(impl)));
    MILLRACE_TRY(service->impl_->begin());
    return service;
}

TargetService::TargetService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TargetService::~TargetService() { stop(); }
const std::string& TargetService::endpoint() const { return impl_->endpoint; }
std::vector<http::Router::Entry> TargetService::routes() const { return impl_->router.entries(); }
std::optional<std::string> TargetService::failure() const { return impl_->store_watch.failure(); }
void TargetService::stop() { impl_->stop(); }

Result<void> TargetService::Impl::open(bool accept_loss, const std::string& join_code) {
    MILLRACE_TRY(make_folder(config.dir));
    MILLRACE_TRY(make_folder(config.dir + "/state"));
    MILLRACE_TRY(make_private(config.dir + "/state"));
    MILLRACE_TRY_ASSIGN(door, auth::FrontDoor::open({config.dir, config.host, config.advertise, config.hosts, config.auth_key, false}));
    state::KvOptions options;
    options.block_cache_bytes = config.block_cache_bytes;
    options.accept_loss = accept_loss;
    MILLRACE_TRY_ASSIGN(kv, state::Kv::open(config.dir + "/state", state::target_families(), options));
    MILLRACE_TRY(state::check_format(*kv, state::target_family::meta, "target"));
    store::LocalStoreOptions store_options;
    store_options.folder = config.dir;
    store_options.mountpaths = config.mountpaths;
    MILLRACE_TRY_ASSIGN(store, store::LocalStore::open(store_options, *kv));
    buckets = std::make_unique<LocalBuckets>(*store);
    slice_store = std::make_unique<state::SliceStore>(*kv);
    MILLRACE_TRY_ASSIGN(TargetState loaded, TargetState::open(*kv, config.id));
    state = std::make_unique<TargetState>(std::move(loaded));
    if (accept_loss) state->accept_loss();
    MILLRACE_TRY(find_proxy(join_code));
    for (const wire::BucketEntry& bucket : state->catalog().buckets) store->identify_bucket(bucket.name, bucket.uid);
    runtime::remove_leftovers(config.dir + "/run");
    MILLRACE_TRY_ASSIGN(SpoolFolder opened, SpoolFolder::open(config.dir + "/spool"));
    spool = std::make_unique<SpoolFolder>(std::move(opened));
    MILLRACE_TRY_ASSIGN(tls, http::server_tls({config.tls_certificate, config.tls_key, config.tls_ca}));
    const auto listen = [this](std::uint16_t port) { return http::listen_tcp(config.host, port); };
    MILLRACE_TRY_ASSIGN(http::Listening bound, listen_on_kept_port(config.dir + "/port", config.port, listen));
    listening.emplace(std::move(bound));
    const ReachableAt place = reachable_at(config.host, config.advertise, listening->port);
    endpoint = http::Endpoint{place.host, place.port, "", tls ? http::Scheme::https : http::Scheme::http}.text();
    return {};
}

Result<void> TargetService::Impl::find_proxy(const std::string& join_code) {
    MILLRACE_TRY_ASSIGN(node_key, wire::open_node_key(config.dir));
    MILLRACE_TRY_ASSIGN(std::optional<ProxyAccess> access, read_proxy_access(config.dir));
    if (!join_code.empty()) {
        MILLRACE_TRY_ASSIGN(const wire::JoinCode code, wire::parse_join_code(join_code));
        auto join = [this, &code]() -> Task<Result<ProxyAccess>> {
            http::Client asking(control.executor());
            co_return co_await join_cluster(asking, config.dir, state->id().str(), node_key, code);
        };
        const Result<ProxyAccess> joined = run_blocking(control, join());
        if (joined) {
            access = *joined;
        } else if (joined.error().code == Code::permission && access && access->proxy_key == code.proxy_key) {
            log::warn("the invitation is not needed any more; the target starts as it joined before", {{"error", joined.error()}});
        } else {
            return joined.error();
        }
    }
    if (!config.proxy.empty()) return {};
    if (!access) {
        return fail(Code::invalid_argument, "nothing says where the proxy is; give 'proxy', the proxy's control endpoint, or join with the line that "
            "'millrace cluster invite' prints");
    }
    config.proxy = access->control;
    if (config.proxy_key.empty()) config.proxy_key = access->proxy_key;
    return {};
}

// Empty: the connection is plain.
Result<std::string> TargetService::Impl::proxy_key() const {
    if (!config.proxy_key.starts_with("file:")) return config.proxy_key;
    MILLRACE_TRY_ASSIGN(std::string text, read_file(config.proxy_key.substr(5), 256));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

void TargetService::Impl::build() {
    const std::uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
    blocking = std::make_unique<BlockingPool>(4);
    client = std::make_unique<http::Client>(control.executor());
    const std::size_t lanes = config.lanes > 0 ? config.lanes : processors;
    job_lanes = std::make_unique<Lanes>("job-lane", 0, lanes);
    client_lanes = std::make_unique<Lanes>("client-lane", lanes, lanes);
    for (std::size_t i = 0; i < lanes; ++i) client_lanes->at(i).loop.post(prefer_short_waits);
    const auto direct_puts = std::make_shared<runtime::DirectPuts>();
    transforms = std::make_unique<TransformTable>(instance_environment(direct_puts), [this] {
        control.post([this] {
            if (core) core->transforms_changed();
        });
    });
    objects = std::make_unique<ObjectExecution>(*spool, *transforms);
    core = make_core();
    inline_transform = std::make_unique<InlineTransform>(*store, *spool, *transforms, config);
    object_service = std::make_unique<ObjectService>(*store, store->drafts(), core->cluster(), core->fences(), *inline_transform, config);
    object_api = std::make_unique<ObjectApi>(*object_service, core->cluster(), *inline_transform, boot_id);
    node_api = std::make_unique<NodeApi>(*store, *buckets, *slice_store, *blocking, *transforms, *inline_transform, core->cluster(), boot_id,
                                         exposure(config));
    vitals_api = std::make_unique<VitalsApi>(store->object_folders(), object_api->counts(), *blocking);
    callback_api = std::make_unique<CallbackApi>(*object_api, *transforms, direct_puts);
    callback_api->add_routes(callback_router);
    object_api->add_routes(router);
    node_api->add_routes(router);
    vitals_api->add_routes(router);
    door->guard(router, core->cluster().keys());
}

std::unique_ptr<TargetCore> TargetService::Impl::make_core() {
    const auto sync = [this](TargetId target) { return call_to_sync(*client, core->cluster(), std::move(target)); };
    const auto connect_to_proxy = [this](const std::string& address, const std::string& route, wire::LinkToProxy::Receive receive) {
        return connect(address, route, std::move(receive));
    };
    const auto standing = [this](std::string reason) { node_api->set_ready(std::move(reason)); };
    const auto revoked = [this](const std::vector<wire::RevokedEntry>& entries) { door->set_revoked(auth::Revocations::of(entries)); };
    return std::make_unique<TargetCore>(TargetEnvironment{control, *job_lanes, *blocking, *store, *buckets, *slice_store, *state, *objects, *transforms,
                                                          config, boot_id, endpoint, sync, connect_to_proxy, standing, revoked});
}

Result<std::unique_ptr<wire::LinkToProxy>> TargetService::Impl::connect(const std::string& address, const std::string& route,
                                                                        wire::LinkToProxy::Receive receive) {
    auto bus = std::make_unique<wire::DealerBus>(control.executor(), std::move(receive));
    MILLRACE_TRY_ASSIGN(const std::string key, proxy_key());
    if (!key.empty()) MILLRACE_TRY(bus->protect(node_key, key));
    bus->on_refused([this](std::string reason) {
        log::error("the proxy cannot be joined", {{"reason", reason}});
        node_api->set_ready(std::move(reason));
    });
    MILLRACE_TRY(bus->connect(address, route));
    return std::unique_ptr<wire::LinkToProxy>(std::move(bus));
}

// As sandboxes know it: its real path.
std::string TargetService::Impl::run_folder() const {
    std::error_code error;
    const std::string plain = config.dir + "/run";
    const std::filesystem::path real = std::filesystem::weakly_canonical(plain, error);
    return error ? plain : real.string();
}

runtime::InstanceEnvironment TargetService::Impl::instance_environment(std::shared_ptr<runtime::DirectPuts> direct_puts) {
    std::vector<Executor> all_lanes = job_lanes->executors();
    for (const Executor& executor : client_lanes->executors()) all_lanes.push_back(executor);
    runtime::InstanceEnvironment environment{control.executor(), std::move(all_lanes), run_folder()};
    if (config.sandbox) {
        std::vector<std::string> guarded = config.mountpaths;
        guarded.push_back(config.dir);
        environment.sandboxes = runtime::SandboxHost::make(run_folder(), std::move(guarded));
        for (const std::string& problem : environment.sandboxes->problems()) log::warn("sandboxes lack something", {{"what", problem}});
    } else {
        log::warn("sandbox is off: commands run with every right of this user");
    }
    environment.direct_puts = std::move(direct_puts);
    environment.callback_lanes = client_lanes->executors();
    environment.callbacks = [this](http::Request& request, http::Response& response) { return callback_router.handle(request, response); };
    environment.engine_socket = config.container_engine;
    environment.tries_shells = true;
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
    if (!is_loopback(config.host)) options.connections_per_peer_max = options.connections_max / 4;
    options.node = "t[" + state->id().str() + "]";
    const auto handle = [this](http::Request& request, http::Response& response) { return router.handle(request, response); };
    server = std::make_unique<http::Server>(client_lanes->executors(), handle, options);
    server->listen_on(listening->socket.release(), http::server_transport(tls));
    MILLRACE_TRY(write_file(config.dir + "/endpoint", endpoint + "\n"));
    MILLRACE_TRY(keep_port(config.dir + "/port", listening->port));
    auto boot = [this]() -> Task<Result<void>> {
        const runtime::InstanceEnvironment& environment = transforms->environment();
        co_await runtime::remove_leftover_containers(environment.control, environment.target_folder, environment.owner);
        MILLRACE_CO_TRY(core->start());
        housekeeping.spawn(expire_drafts());
        housekeeping.spawn(watch_store());
        co_return Result<void>{};
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

void TargetService::Impl::stop() {
    if (!server) return;
    auto wind_down = [this]() -> Task<void> {
        stopping.set();
        co_await housekeeping.join();
        co_await core->stop();
        co_await transforms->stop();
    };
    // First: a server's direct put waits for the run that takes it.
    auto begin = [this] {
        core->begin_stop();
        return 0;
    };
    run_blocking(control, call_on(control.executor(), begin));
    server->stop(std::chrono::seconds(2));
    run_blocking(control, wind_down());
    server.reset();
    auto end = [this] {
        core.reset();
        client.reset();  // here: its connections are this loop's
        return 0;
    };
    run_blocking(control, call_on(control.executor(), end));
    log::info("target stopped", {{"target", state->id()}});
}

}  // namespace millrace::worker
