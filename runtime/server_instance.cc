#include "runtime/server_instance.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "core/ids.h"
#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/outcome.h"
#include "runtime/readiness.h"
#include "runtime/sandbox_words.h"
#include "runtime/socket_folder.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {
constexpr Duration kRestartPauseMin = std::chrono::milliseconds(100);
constexpr Duration kRestartPauseMax = std::chrono::seconds(10);
constexpr Duration kWaitRunningMax = std::chrono::seconds(5);
constexpr Duration kSignOfLifeMax = std::chrono::seconds(5);  // as long as Kubernetes' probes
constexpr Duration kMeasurePause = std::chrono::seconds(2);
constexpr std::size_t kDeathLogBytesMax = 2048;

std::string tail_of(const std::string& text, std::size_t bytes_max) {
    Tail tail(bytes_max);
    tail.append(text);
    return tail.text();
}

// Whoever is cancelled still has to leave what it used in order, with waits that must not throw.
Task<RunResult> in_order(Task<RunResult> run) {
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    RunResult result = co_await std::move(run);
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return result;
}

bool has_timed_out(const RunResult& result) {
    return !result.has_value() && result.error().blame == Blame::transform && result.error().error.code == Code::timed_out;
}
}  // namespace

ServerInstance::ServerInstance(TransformSpec spec, InstanceEnvironment environment)
    : spec_(std::move(spec)), environment_(std::move(environment)), secret_(random_id("")),
      make_server_(server_factory(spec_, environment_, log_, secret_)), tried_(environment_.control), stopping_(environment_.control),
      tasks_(environment_.control) {
    for (const Executor& executor : environment_.lanes) lanes_.push_back({executor, nullptr, nullptr});
}

Task<Result<void>> ServerInstance::start() {
    if (gate_.is_closed()) co_return start_failure(spec_.name, fail(Code::unavailable, "stopped"));
    tasks_.spawn(supervise());
    tasks_.spawn(measure());
    while (!tried_.is_set()) (void)co_await tried_.wait_until(steady_now() + spec_.init_timeout_ms + std::chrono::seconds(5));
    co_return *first_outcome_;
}

// Steps: no more runs → the server and the scratch server die, which breaks the exchanges that are on → their runs end →
// what they used goes away, each on its own executor.
Task<void> ServerInstance::stop() {
    gate_.close();
    stopping_.set();
    publish(InstanceState::stopped, "stopped", nullptr, 0);
    std::shared_ptr<ScratchServer> scratch;
    {
        const std::lock_guard lock(mutex_);
        scratch = std::move(scratch_);
    }
    if (const std::shared_ptr<Server> server = server_) co_await server->stop();
    if (scratch) co_await scratch->stop();
    co_await tasks_.join();
    for (Lane& lane : lanes_) co_await run_on(lane.executor, [&lane] { return close_lane(lane); });
    co_await gate_.wait_empty();
    // A run that was on its way may have made another one.
    for (Lane& lane : lanes_) co_await run_on(lane.executor, [&lane] { return close_lane(lane); });
    remove_folder(environment_.folder);
    if (!socket_folder_.empty() && socket_folder_ != environment_.folder) remove_folder(socket_folder_);
}

Task<void> ServerInstance::close_lane(Lane& lane) {
    if (const auto communicator = std::exchange(lane.communicator, nullptr)) co_await communicator->close();
    lane.server.reset();
}

Task<RunResult> ServerInstance::run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    return in_order(run_shared(lane, object, source, sink));
}

Task<RunResult> ServerInstance::run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    return in_order(run_alone(lane, object, source, sink));
}

Task<RunResult> ServerInstance::run_shared(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    const auto pass = gate_.enter();
    if (!pass) co_return std::unexpected(stopped_failure(spec_.name));
    ++runs_;
    const auto server = co_await wait_running(std::min(object.due(), steady_now() + kWaitRunningMax));
    if (co_await is_cancelled()) co_return std::unexpected(transform_failure(Code::cancelled, "the run was cancelled"));
    if (!server) co_return count(std::unexpected(not_running()));
    const std::shared_ptr<Communicator> communicator = co_await this->communicator(lanes_.at(lane), server);
    const std::uint64_t served_before = server->served;
    RunResult result = co_await communicator->run(object, source, sink);
    if (has_timed_out(result) && server->served == served_before) {
        const auto look = [this, server] { return replace_if_stuck(server); };
        co_await run_on(environment_.control, look);
    }
    co_return count(explain(std::move(result)));
}

Task<RunResult> ServerInstance::run_alone(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    const auto pass = gate_.enter();
    if (!pass) co_return std::unexpected(stopped_failure(spec_.name));
    ++runs_;
    const Duration allowed = object.allowed();
    std::shared_ptr<ScratchServer> scratch;
    {
        const std::lock_guard lock(mutex_);
        scratch = scratch_;
    }
    if (!scratch) co_return count(std::unexpected(not_running()));
    auto turn = co_await ScratchServer::begin(scratch);
    if (!turn.has_value()) {
        const bool is_cancelled = turn.error().code == Code::cancelled;
        co_return count(std::unexpected(transform_failure(is_cancelled ? Code::cancelled : Code::unavailable, turn.error().context)));
    }
    ObjectRun alone = object;
    alone.deadline = steady_now() + allowed;  // the time before its turn is not the object's
    if (alone.clock != nullptr) alone.clock->restart(steady_now());
    const CommunicatorOptions options{lanes_.at(lane).executor, environment_.direct_puts};
    const std::shared_ptr<Communicator> communicator = make_communicator(spec_, options, turn->server());
    RunResult result = co_await communicator->run(alone, source, sink);
    co_await communicator->close();
    if (has_timed_out(result)) {
        const auto stop_it = [scratch] { return scratch->stop_server(); };
        co_await run_on(environment_.control, stop_it);
    }
    co_return count(explain(std::move(result)));
}

InstanceStatus ServerInstance::status() const {
    const std::lock_guard lock(mutex_);
    return {.state = state_, .reason = reason_, .pid = pid_, .sandbox = sandbox_, .sandbox_lacks = sandbox_lacks_,
            .image = environment_.image ? environment_.image->id() : "",
            .last_death = last_death_, .last_death_log = last_death_log_, .restarts = restarts_, .runs = runs_, .failures = failures_};
}

ServerUsage ServerInstance::usage() const {
    const std::lock_guard lock(mutex_);
    return usage_;
}

// Folders and the scratch server, which need no process yet.
Result<void> ServerInstance::prepare() {
    MILLRACE_TRY(make_folder(environment_.folder));
    if (socket_folder_.empty()) {
        MILLRACE_TRY_ASSIGN(socket_folder_, make_socket_folder(environment_.folder));
    }
    const std::lock_guard lock(mutex_);
    if (scratch_ || state_ == InstanceState::stopped) return {};
    const ServerPlace place{environment_.folder + "/scratch", socket_folder_, "x"};
    scratch_ = std::make_shared<ScratchServer>(spec_.init_timeout_ms, environment_.control, make_server_, place);
    return {};
}

Task<Result<void>> ServerInstance::start_server() {
    MILLRACE_CO_TRY(prepare());
    const ServerPlace place{environment_.folder, socket_folder_, "s" + std::to_string(++lives_)};
    co_return co_await server_->start(place);
}

Task<void> ServerInstance::supervise() {
    Duration pause = Duration::zero();
    std::uint32_t useless_lives = 0;
    while (!stopping_.is_set()) {
        server_ = make_server_();
        const Result<void> started = co_await start_server();
        Error why;
        if (!stopping_.is_set() && started.has_value()) {
            publish(InstanceState::running, "", server_->facts(), server_->pid());
            log::info("transform ready", {{"transform", spec_.name}, {"pid", server_->pid()}, {"endpoint", server_->facts()->endpoint.text()}});
            if (!first_outcome_) first_outcome_ = std::make_shared<Result<void>>();
            tried_.set();
            co_await server_->wait_exit();
            why = {Code::unavailable, stuck_.empty() ? server_->facts()->death().value_or("stopped") : std::exchange(stuck_, "")};
        } else if (!started.has_value()) {
            why = started.error();
        }
        const bool was_useful = server_->facts() && server_->facts()->served > 0;
        useless_lives = was_useful ? 0 : useless_lives + 1;
        const bool gives_up = useless_lives > spec_.restarts_max;
        if (!stopping_.is_set()) {
            remember_death(why.context);
            const std::string reason = gives_up ? why.context + "; given up after " + std::to_string(useless_lives) + " tries" : why.context;
            publish(gives_up ? InstanceState::aborted : InstanceState::restarting, reason, nullptr, 0);
            log::warn("transform is not running", {{"transform", spec_.name}, {"reason", reason}});
        }
        if (!first_outcome_) first_outcome_ = std::make_shared<Result<void>>(start_failure(spec_.name, why));
        tried_.set();
        co_await server_->stop();
        if (gives_up) co_return;
        pause = was_useful ? Duration::zero() : std::clamp(2 * pause, kRestartPauseMin, kRestartPauseMax);
        if (pause > Duration::zero()) (void)co_await stopping_.wait_until(steady_now() + pause);
        if (!stopping_.is_set()) ++restarts_;
    }
}

Task<void> ServerInstance::measure() {
    while (!co_await stopping_.wait_until(steady_now() + kMeasurePause)) {
        const ServerUsage now = server_ ? server_->usage() : ServerUsage{};
        const std::lock_guard lock(mutex_);
        usage_ = now;
    }
}

// One object can block a server for all others, for good. One that neither served another meanwhile nor says that it is ready
// is stopped, and supervise() starts the next.
Task<void> ServerInstance::replace_if_stuck(std::shared_ptr<ServerFacts> server) {
    const std::shared_ptr<Server> suspect = server_;
    if (looks_if_stuck_ || stopping_.is_set() || !suspect || suspect->facts() != server) co_return;
    looks_if_stuck_ = true;
    const Result<void> alive = co_await probe_server(spec_, *server, steady_now() + kSignOfLifeMax);
    looks_if_stuck_ = false;
    if (alive || stopping_.is_set() || suspect->has_exited()) co_return;
    log::warn("transform is stuck and is started again", {{"transform", spec_.name}, {"pid", suspect->pid()}, {"error", alive.error()}});
    stuck_ = "stuck: an object timed out, and then it did not answer at its health path either";
    co_await suspect->stop();
}

void ServerInstance::remember_death(const std::string& how) {
    const std::string words = tail_of(log_->text(), kDeathLogBytesMax);
    const std::lock_guard lock(mutex_);
    last_death_ = how;
    last_death_log_ = words;
}

void ServerInstance::publish(InstanceState state, std::string reason, std::shared_ptr<ServerFacts> server, int pid) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ == InstanceState::stopped) return;
        state_ = state;
        reason_ = std::move(reason);
        running_ = std::move(server);
        if (const auto sandbox = server_ ? server_->sandbox() : nullptr; spec_.kind == Kind::process && server_ && server_->facts()) {
            sandbox_ = sandbox_text(sandbox.get());
            sandbox_lacks_ = sandbox ? sandbox->lacks() : "";
        }
        pid_ = pid;
    }
    changes_.notify();
    if (environment_.changed) environment_.changed();
}

// The one for this life of the server. One of an earlier life is closed first, and held by the runs that still use it.
Task<std::shared_ptr<Communicator>> ServerInstance::communicator(Lane& lane, std::shared_ptr<ServerFacts> server) {
    if (lane.server != server) {
        const std::shared_ptr<Communicator> old = std::exchange(lane.communicator, nullptr);
        lane.server = server;
        const CommunicatorOptions options{lane.executor, environment_.direct_puts};
        const std::shared_ptr<Communicator> fresh = make_communicator(spec_, options, server);
        lane.communicator = fresh;
        if (old) co_await old->close();
        co_return fresh;
    }
    co_return lane.communicator;
}

// What its log says of a crash, and nothing of a failure that comes from being stopped.
RunResult ServerInstance::explain(RunResult result) const {
    if (result.has_value() || result.error().blame != Blame::transform) return result;
    if (gate_.is_closed() && result.error().error.code != Code::rejected) return std::unexpected(stopped_failure(spec_.name));
    if (result.error().error.code == Code::crashed) result.error().stderr_tail = tail_of(log_->text(), spec_.stderr_bytes_max);
    return result;
}

// Null when it did not come back in time.
Task<std::shared_ptr<ServerFacts>> ServerInstance::wait_running(Instant deadline) {
    for (;;) {
        const std::uint64_t seen = changes_.version();
        {
            const std::lock_guard lock(mutex_);
            // One that is dead already, though its supervisor has yet to see it, would only waste the object's time.
            if (running_ && !running_->has_ended()) co_return running_;
            if (state_ == InstanceState::stopped || state_ == InstanceState::aborted) co_return nullptr;
        }
        if (steady_now() >= deadline || co_await is_cancelled()) co_return nullptr;
        co_await changes_.wait(seen, deadline);
    }
}

RunResult ServerInstance::count(RunResult result) {
    if (!result.has_value()) ++failures_;
    return result;
}

Failure ServerInstance::not_running() const {
    const InstanceStatus now = status();
    if (now.state == InstanceState::stopped) return stopped_failure(spec_.name);
    return transform_failure(Code::unavailable, "transform '" + spec_.name + "' is not running: " +
                                                    (now.reason.empty() ? std::string(state_name(now.state)) : now.reason));
}

}  // namespace millrace::runtime
