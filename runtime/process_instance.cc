#include "runtime/process_instance.h"

#include <algorithm>

#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/hpush.h"
#include "runtime/outcome.h"
#include "runtime/socket_folder.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace {
constexpr Duration kRestartPauseMin = std::chrono::milliseconds(100);
constexpr Duration kRestartPauseMax = std::chrono::seconds(10);
constexpr Duration kWaitRunningMax = std::chrono::seconds(5);
}  // namespace

ProcessInstance::ProcessInstance(TransformSpec spec, InstanceEnvironment environment)
    : spec_(std::move(spec)), environment_(std::move(environment)), tried_(environment_.control), stopping_(environment_.control),
      tasks_(environment_.control) {
    for (const Executor& executor : environment_.lanes) lanes_.push_back({executor, nullptr, {}});
}

Task<Result<void>> ProcessInstance::start() {
    if (gate_.is_closed()) co_return start_failure(spec_.name, fail(Code::unavailable, "stopped"));
    control_client_ = std::make_shared<http::Client>(environment_.control);
    tasks_.spawn(supervise());
    while (!tried_.is_set()) (void)co_await tried_.wait_until(steady_now() + spec_.init_timeout_ms + std::chrono::seconds(5));
    co_return *first_outcome_;
}

// Steps: no more runs → the server and the scratch server die, which breaks the exchanges that are on → their runs end →
// what they used goes away, each on its own executor.
Task<void> ProcessInstance::stop() {
    gate_.close();
    stopping_.set();
    publish(InstanceState::stopped, "stopped", nullptr, 0);
    std::shared_ptr<ScratchServer> scratch;
    {
        const std::lock_guard lock(mutex_);
        scratch = std::move(scratch_);
    }
    if (server_) co_await server_->stop();
    if (scratch) co_await scratch->stop();
    co_await tasks_.join();
    co_await gate_.wait_empty();
    for (Lane& lane : lanes_) {
        if (lane.client) co_await call_on(lane.executor, [&lane] { return std::exchange(lane.client, nullptr) != nullptr; });
    }
    control_client_.reset();
    remove_folder(environment_.folder);
    if (!socket_folder_.empty() && socket_folder_ != environment_.folder) remove_folder(socket_folder_);
}

Task<RunResult> ProcessInstance::run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    const auto pass = gate_.enter();
    if (!pass) co_return std::unexpected(stopped_failure(spec_.name));
    ++runs_;
    const auto server = co_await wait_running(std::min(object.deadline, steady_now() + kWaitRunningMax));
    if (!server) co_return count(std::unexpected(not_running()));
    RunResult result = co_await push(lanes_.at(lane), server, object, source, sink);
    co_return count(std::move(result));
}

Task<RunResult> ProcessInstance::run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    const auto pass = gate_.enter();
    if (!pass) co_return std::unexpected(stopped_failure(spec_.name));
    ++runs_;
    const Duration allowed = object.deadline - steady_now();
    std::shared_ptr<ScratchServer> scratch;
    {
        const std::lock_guard lock(mutex_);
        scratch = scratch_;
    }
    if (!scratch) co_return count(std::unexpected(not_running()));
    const auto begin = [scratch] { return scratch->begin(); };
    auto turn = co_await run_on(environment_.control, begin);
    if (!turn.has_value()) co_return count(std::unexpected(transform_failure(Code::unavailable, turn.error().context)));
    ObjectRun alone = object;
    alone.deadline = steady_now() + allowed;  // the time before its turn is not the object's
    RunResult result = co_await push(lanes_.at(lane), turn->server(), alone, source, sink);
    co_return count(std::move(result));
}

InstanceStatus ProcessInstance::status() const {
    const std::lock_guard lock(mutex_);
    return {.state = state_, .reason = reason_, .pid = pid_, .restarts = restarts_, .runs = runs_, .failures = failures_};
}

// Folders and the scratch server, which need no process yet.
Result<void> ProcessInstance::prepare() {
    MILLRACE_TRY(make_folder(environment_.folder));
    if (socket_folder_.empty()) {
        MILLRACE_TRY_ASSIGN(socket_folder_, make_socket_folder(environment_.folder));
    }
    const std::lock_guard lock(mutex_);
    if (scratch_ || state_ == InstanceState::stopped) return {};
    const ServerPlace place{environment_.folder + "/scratch", socket_folder_, "x"};
    scratch_ = std::make_shared<ScratchServer>(spec_, environment_.control, log_, place, control_client_);
    return {};
}

Task<Result<void>> ProcessInstance::start_server() {
    MILLRACE_CO_TRY(prepare());
    const ServerPlace place{environment_.folder, socket_folder_, "s" + std::to_string(++lives_)};
    co_return co_await server_->start(place, *control_client_);
}

Task<void> ProcessInstance::supervise() {
    Duration pause = Duration::zero();
    while (!stopping_.is_set()) {
        server_ = std::make_unique<Server>(spec_, environment_.control, log_);
        const Result<void> started = co_await start_server();
        Error why;
        if (!stopping_.is_set() && started.has_value()) {
            publish(InstanceState::running, "", server_->facts(), server_->pid());
            log::info("transform ready", {{"transform", spec_.name}, {"pid", server_->pid()}, {"endpoint", server_->facts()->endpoint.text()}});
            if (!first_outcome_) first_outcome_ = std::make_shared<Result<void>>();
            tried_.set();
            co_await server_->wait_exit();
            why = {Code::unavailable, server_->facts()->death().value_or("stopped")};
        } else if (!started.has_value()) {
            why = started.error();
        }
        const bool was_useful = server_->facts() && server_->facts()->served > 0;
        if (!stopping_.is_set()) {
            publish(InstanceState::restarting, why.context, nullptr, 0);
            log::warn("transform is not running", {{"transform", spec_.name}, {"reason", why.context}});
        }
        if (!first_outcome_) first_outcome_ = std::make_shared<Result<void>>(start_failure(spec_.name, why));
        tried_.set();
        co_await server_->stop();
        pause = was_useful ? Duration::zero() : std::clamp(2 * pause, kRestartPauseMin, kRestartPauseMax);
        if (pause > Duration::zero()) (void)co_await stopping_.wait_until(steady_now() + pause);
        if (!stopping_.is_set()) ++restarts_;
    }
}

void ProcessInstance::publish(InstanceState state, std::string reason, std::shared_ptr<ServerFacts> server, int pid) {
    {
        const std::lock_guard lock(mutex_);
        state_ = state;
        reason_ = std::move(reason);
        running_ = std::move(server);
        pid_ = pid;
    }
    changes_.notify();
}

Task<RunResult> ProcessInstance::push(Lane& lane, const std::shared_ptr<ServerFacts>& server, const ObjectRun& object, Source& source,
                                      Sink& sink) {
    if (!lane.client) lane.client = std::make_shared<http::Client>(lane.executor);
    const std::shared_ptr<http::Client> client = lane.client;
    if (lane.last != server->endpoint) {
        client->forget(lane.last);
        lane.last = server->endpoint;
    }
    RunResult result = co_await push_object(*client, server, object, source, sink);
    if (result.has_value() || result.error().blame != Blame::transform) co_return result;
    if (gate_.is_closed() && result.error().error.code != Code::rejected) co_return std::unexpected(stopped_failure(spec_.name));
    if (result.error().error.code == Code::crashed) {
        Tail tail(spec_.stderr_bytes_max);
        tail.append(log_->text());
        result.error().stderr_tail = tail.text();
    }
    co_return result;
}

// Null when it did not come back in time.
Task<std::shared_ptr<ServerFacts>> ProcessInstance::wait_running(Instant deadline) {
    for (;;) {
        const std::uint64_t seen = changes_.version();
        {
            const std::lock_guard lock(mutex_);
            // One that is dead already, though its supervisor has yet to see it, would only waste the object's time.
            if (running_ && !running_->death()) co_return running_;
            if (state_ == InstanceState::stopped) co_return nullptr;
        }
        if (steady_now() >= deadline) co_return nullptr;
        co_await changes_.wait(seen, deadline);
    }
}

RunResult ProcessInstance::count(RunResult result) {
    if (!result.has_value()) ++failures_;
    return result;
}

RunFailure ProcessInstance::not_running() const {
    const InstanceStatus now = status();
    if (now.state == InstanceState::stopped) return stopped_failure(spec_.name);
    return transform_failure(Code::unavailable, "transform '" + spec_.name + "' is not running: " +
                                                    (now.reason.empty() ? std::string(state_name(now.state)) : now.reason));
}

}  // namespace millrace::runtime
