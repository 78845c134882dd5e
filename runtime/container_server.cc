#include "runtime/container_server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "core/descriptor.h"
#include "core/file.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/units.h"
#include "runtime/child_environment.h"
#include "runtime/socket_folder.h"
#include "runtime/spawn.h"
#include "runtime/wait_readable.h"

namespace millrace::runtime {
namespace {

constexpr Duration kContainerTermGrace = std::chrono::seconds(1);
constexpr Duration kVerdictTimeMax = std::chrono::seconds(5);   // for the engine to say how it ended
constexpr Duration kVerdictPause = std::chrono::milliseconds(20);
constexpr Duration kLastWordsTimeMax = std::chrono::milliseconds(500);
constexpr Duration kAttachPauseMin = std::chrono::milliseconds(250);
constexpr Duration kAttachPauseMax = std::chrono::seconds(30);
constexpr Duration kRemoveTimeMax = std::chrono::seconds(5);
constexpr Duration kRemovePause = std::chrono::milliseconds(100);
constexpr std::uint16_t kCallbackPort = 51080;
constexpr std::uint32_t kPidsMax = 512;
constexpr std::string_view kNobody = "65534:65534";
constexpr std::string_view kSocketFolder = "/run/millrace";
constexpr std::string_view kOwnerLabel = "org.millrace.owner";
// In the folder of a target: the socket of the engine that made containers for it.
constexpr std::string_view kMarkFile = "/container_engine";

bool is_root(const std::string& user) { return user.empty() || user == "root" || user == "0" || user.starts_with("0:") || user.starts_with("root:"); }

std::string network_name(spec::Network network) {
    switch (network) {
        case spec::Network::target: return "none";
        case spec::Network::bridge: return "bridge";
        case spec::Network::host: return "host";
    }
    return "none";
}

// An engine that is busy with the container's end refuses for a moment.
Task<Result<void>> remove_container(Engine& engine, std::string id) {
    const Instant deadline = steady_now() + kRemoveTimeMax;
    for (;;) {
        Result<void> removed = co_await engine.remove(id);
        if (removed || steady_now() >= deadline) co_return removed;
        co_await sleep_for(kRemovePause);
    }
}

}  // namespace

ContainerServer::ContainerServer(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log,
                                 std::string secret_path)
    : Server(spec, environment.control, std::move(log)), environment_(environment), secret_path_(std::move(secret_path)),
      pidfd_(environment.control), log_ended_(environment.control) {}

// ---- start

Task<Result<void>> ContainerServer::launch(const ServerPlace& place) {
    MILLRACE_CO_TRY(co_await find_engine());
    MILLRACE_CO_TRY_ASSIGN(const ImageInfo image, co_await find_image());
    if (environment_.image) MILLRACE_CO_TRY(environment_.image->admit(spec_.container.image, image.id));
    MILLRACE_CO_TRY_ASSIGN(ContainerRequest wanted, request(image, place));
    co_return co_await run(std::move(wanted));
}

// The first that answers; what it made is marked before it is made, so that a later process finds it again.
Task<Result<void>> ContainerServer::find_engine() {
    Error why = fail(Code::unavailable, "no container engine is known");
    for (const std::string& socket : Engine::usual_sockets(environment_.engine_socket)) {
        auto engine = std::make_unique<Engine>(control_, socket);
        const auto version = co_await engine->ping();
        if (version) {
            engine_ = std::move(engine);
            co_return write_file(environment_.target_folder + std::string(kMarkFile), socket + "\n");
        }
        why = version.error();
    }
    co_return why;
}

Task<Result<ImageInfo>> ContainerServer::find_image() {
    const std::string& name = spec_.container.image;
    const Instant deadline = steady_now() + spec_.init_timeout_ms;
    if (spec_.container.pull == spec::PullPolicy::always) {
        MILLRACE_CO_TRY(co_await engine_->pull(name, deadline));
    }
    Result<ImageInfo> image = co_await engine_->image(name);
    if (image || image.error().code != Code::not_found) co_return image;
    if (spec_.container.pull == spec::PullPolicy::never) {
        co_return fail(Code::not_found, "image " + name + " is not on this target, and 'pull: never' forbids to fetch it; load it there first");
    }
    MILLRACE_CO_TRY(co_await engine_->pull(name, deadline));
    co_return co_await engine_->image(name);
}

Result<ContainerRequest> ContainerServer::request(const ImageInfo& image, const ServerPlace& place) {
    const spec::Container& container = spec_.container;
    ContainerRequest request;
    request.name = "millrace-" + spec_.name + random_id("-");
    request.image = image.id;  // its reference may stand for another one by now
    request.argv = spec_.argv;
    request.labels = {{std::string(kOwnerLabel), environment_.owner}, {"org.millrace.transform", spec_.name}};
    request.user = !container.user.empty() ? container.user : is_root(image.user) ? std::string(kNobody) : "";
    request.network = network_name(container.network);
    request.memory_bytes = spec_.limits.memory_bytes;
    request.cpu_millis = container.cpu_millis;
    request.pids_max = spec_.limits.processes != 0 ? static_cast<std::uint32_t>(spec_.limits.processes) : kPidsMax;
    request.tmpfs_bytes = container.tmpfs_bytes;
    request.workdir = spec_.workdir;
    if (!spec_.env.contains("HOME")) request.env.emplace_back("HOME", "/tmp");
    for (const auto& variable : spec_.env) request.env.push_back(variable);
    if (spec_.file_paths) {
        // It runs as nobody: the folders themselves can be entered from now on, by whoever gets to them, and files are opened as they are handed out.
        for (const std::string& folder : environment_.object_folders) {
            if (::chmod(folder.c_str(), 0711) != 0) return errno_error("cannot open " + folder + " to the container", errno);
            request.binds.push_back({folder, folder, true});
        }
    }
    if (spec_.communication == spec::Communication::stream) {
        MILLRACE_TRY(add_socket_folder(request, place));
    } else if (container.network == spec::Network::host) {
        callbacks_ = std::make_unique<http::Server>(environment_.callback_lanes, environment_.callbacks);
        MILLRACE_TRY_ASSIGN(callback_port_, callbacks_->listen("127.0.0.1", 0));
    } else {
        callback_port_ = container.port == kCallbackPort ? kCallbackPort + 1 : kCallbackPort;
    }
    add_target(request);
    return request;
}

// The folder is open to whatever user the container has; the one above it is this target's alone.
Result<void> ContainerServer::add_socket_folder(ContainerRequest& request, const ServerPlace& place) {
    const std::string folder = place.socket_folder + '/' + place.socket_name;
    MILLRACE_TRY(make_folder(folder));
    if (::chmod(folder.c_str(), 0777) != 0) return errno_error("cannot open " + folder + " to the container", errno);
    unix_path_ = folder + "/s";
    if (unix_path_.size() > kSocketPathBytesMax) return fail(Code::invalid_argument, "the socket path " + unix_path_ + " is too long");
    request.binds.push_back({folder, std::string(kSocketFolder), false});
    request.env.emplace_back("MILLRACE_SOCKET", std::string(kSocketFolder) + "/s");
    return {};
}

// AIStore's servers do not start without it; both spellings, as its documentation and its code differ.
void ContainerServer::add_target(ContainerRequest& request) {
    target_url_ = "http://127.0.0.1:" + std::to_string(callback_port_) + secret_path_;
    const std::string direct_put = spec_.direct_put ? "true" : "false";
    request.env.emplace_back("AIS_TARGET_URL", target_url_);
    request.env.emplace_back("direct_put", direct_put);
    request.env.emplace_back("DIRECT_PUT", direct_put);
}

Task<Result<void>> ContainerServer::run(ContainerRequest request) {
    MILLRACE_CO_TRY_ASSIGN(id_, co_await engine_->create(std::move(request)));
    MILLRACE_CO_TRY_ASSIGN(output_, co_await engine_->attach(id_, Instant::max()));
    MILLRACE_CO_TRY(co_await engine_->start(id_));
    tasks_.spawn(read_log());
    MILLRACE_CO_TRY_ASSIGN(ContainerState state, co_await engine_->inspect(id_));
    const Result<void> taken = take_in(state);
    if (!taken) pid_ = 0;  // nobody watches it
    // It may end at any moment from its start on; then that is the reason, whatever could not be opened any more.
    for (const Instant deadline = steady_now() + kLastWordsTimeMax; !taken && state.running && steady_now() < deadline;) {
        co_await sleep_for(kVerdictPause);
        MILLRACE_CO_TRY_ASSIGN(state, co_await engine_->inspect(id_));
    }
    if (!taken && state.running) co_return taken;
    if (!taken) {
        (void)co_await log_ended_.wait_until(steady_now() + kLastWordsTimeMax);
        co_return fail(Code::unavailable, "it ended before it was ready: " + with_last_words(ending(state)));
    }
    tasks_.spawn(watch_exit());
    co_return Result<void>{};
}

Result<void> ContainerServer::take_in(const ContainerState& state) {
    if (!state.running || state.pid <= 0) return fail(Code::unavailable, "the container does not run");
    pid_ = state.pid;
    Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd.is_open()) return errno_error("cannot watch the container's process", errno);
    boost::system::error_code error;
    pidfd_.assign(pidfd.get(), error);
    if (error) return fail(Code::unavailable, "cannot watch the container's process: " + error.message());
    (void)pidfd.release();
    // Without it, memory and processor time are not known, and all else goes on.
    if (auto found = Cgroup::of_process(pid_)) cgroup_ = std::move(*found);
    http::Endpoint endpoint;
    endpoint.unix_path = unix_path_;
    http::OpenSocket open_socket;
    if (unix_path_.empty()) {
        endpoint = {"127.0.0.1", spec_.container.port, ""};
        if (spec_.container.network != spec::Network::host) {
            MILLRACE_TRY(open_doors());
            open_socket = [network = network_](int family) { return network->open_socket(family); };
        }
    }
    facts_ = std::make_shared<ServerFacts>(endpoint, open_socket);
    facts_->target_url = target_url_;
    facts_->processes.set_root(pid_);
    return {};
}

// The way to the container's server, and the container's way to this target.
Result<void> ContainerServer::open_doors() {
    MILLRACE_TRY_ASSIGN(network_, NetworkNamespace::of_process(pid_));
    MILLRACE_TRY_ASSIGN(Descriptor listening, network_->listen(callback_port_));
    callbacks_ = std::make_unique<http::Server>(environment_.callback_lanes, environment_.callbacks);
    callbacks_->listen_on(listening.release());
    return {};
}

// ---- while it runs

// Its end is that of the container, unless the engine went away: then it is asked for again.
Task<void> ContainerServer::read_log() {
    for (Duration pause = kAttachPauseMin;; pause = std::min(2 * pause, kAttachPauseMax)) {
        if (output_) co_await read_output();
        if (!facts_ || is_ending(pid_)) break;
        (void)co_await changed_.wait_until(steady_now() + pause);
        if (changed_.is_set()) break;
        auto again = co_await engine_->attach(id_, Instant::max());
        if (!again) continue;
        output_ = std::move(*again);
        keep_log("(the container engine broke off this log; some of it may be missing here)\n");
    }
    log_ended_.set();
}

Task<void> ContainerServer::read_output() {
    std::array<std::byte, 16 * 1024> chunk;
    for (;;) {
        const auto count = co_await output_->read(chunk);
        if (!count.has_value() || *count == 0) break;
        keep_log({reinterpret_cast<const char*>(chunk.data()), *count});
    }
    output_.reset();
}

ServerUsage ContainerServer::usage() const {
    ServerUsage usage;
    if (!cgroup_ || has_exited()) return usage;
    usage.cpu_seconds = cgroup_->cpu_seconds().value_or(0);
    usage.memory_bytes = cgroup_->memory_bytes().value_or(0);
    return usage;
}

Task<void> ContainerServer::watch_exit() {
    (void)co_await wait_readable(pidfd_);
    facts_->set_dying();
    // At once: the group goes away with the container.
    const std::uint64_t oom_kills = cgroup_ ? cgroup_->oom_kills().value_or(0) : 0;
    End end{"stopped"};
    if (!stop_asked_) {
        (void)co_await log_ended_.wait_until(steady_now() + kLastWordsTimeMax);
        end = co_await cause_of_death(oom_kills > 0);
    }
    co_await close_door();
    died(end.how, end.in_order);
}

Task<ContainerServer::End> ContainerServer::cause_of_death(bool was_oom) {
    const Instant deadline = steady_now() + kVerdictTimeMax;
    while (steady_now() < deadline && !stop_asked_) {
        Result<ContainerState> state = co_await engine_->inspect(id_);
        if (state && !state->running) {
            state->out_of_memory = state->out_of_memory || (was_oom && state->exit_code == 128 + SIGKILL);
            co_return End{ending(*state), state->exit_code == 0 && state->error.empty() && !state->out_of_memory};
        }
        if (!state && state.error().code == Code::not_found) co_return End{"removed by somebody"};
        co_await sleep_for(kVerdictPause);
    }
    co_return End{was_oom ? "killed: out of memory" : "ended, and the engine does not say how"};
}

std::string ContainerServer::ending(const ContainerState& state) const {
    if (state.out_of_memory) {
        const std::uint64_t limit = spec_.limits.memory_bytes;
        return "killed: out of memory (" + (limit == 0 ? "it has no limit of its own" : "its limit is " + size_text(limit)) + ")";
    }
    if (!state.error.empty()) return state.error;
    return state.exit_code > 128 ? ExitStatus{true, state.exit_code - 128}.text() : ExitStatus{false, state.exit_code}.text();
}

// ---- end

Task<void> ContainerServer::stop() {
    ask_to_stop();
    if (!id_.empty()) {
        if (pid_ != 0 && !has_exited()) {
            (void)::syscall(SYS_pidfd_send_signal, pidfd_.native_handle(), SIGTERM, nullptr, 0);
            (void)co_await exited_.wait_until(steady_now() + kContainerTermGrace);
            if (!has_exited()) (void)::syscall(SYS_pidfd_send_signal, pidfd_.native_handle(), SIGKILL, nullptr, 0);
        }
        if (const auto removed = co_await remove_container(*engine_, id_); !removed) {
            log::warn("container could not be removed; the next start of this target tries again",
                      {{"transform", spec_.name}, {"container", id_}, {"error", removed.error()}});
        }
        id_.clear();
    }
    // Both end by themselves with the container; an engine that is stuck must not keep this target from stopping.
    if (facts_) (void)co_await exited_.wait_until(steady_now() + kVerdictTimeMax);
    if (output_) (void)co_await log_ended_.wait_until(steady_now() + kLastWordsTimeMax);
    tasks_.cancel();
    co_await tasks_.join();
    co_await close_door();
}

// May be asked for twice at the same time: who comes first does it.
Task<void> ContainerServer::close_door() {
    const std::unique_ptr<http::Server> callbacks = std::move(callbacks_);
    if (callbacks) co_await callbacks->close(Duration::zero());
}

Task<void> remove_leftover_containers(Executor executor, std::string target_folder, std::string owner) {
    Result<std::string> socket = read_file(target_folder + std::string(kMarkFile), 4096);
    if (!socket) co_return;
    while (socket->ends_with('\n')) socket->pop_back();
    Engine engine(executor, *socket);
    const auto ids = co_await engine.list(std::string(kOwnerLabel) + '=' + owner);
    if (!ids) {
        log::warn("containers of an earlier process were not looked for", {{"error", ids.error()}});
        co_return;
    }
    for (const std::string& id : *ids) {
        if (const auto removed = co_await remove_container(engine, id); removed) {
            log::info("container of an earlier process removed", {{"container", id}});
        } else {
            log::warn("container of an earlier process could not be removed", {{"container", id}, {"error", removed.error()}});
        }
    }
}

}  // namespace millrace::runtime
