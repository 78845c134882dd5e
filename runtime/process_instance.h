// A transform that is a server process of ours: started, kept running, and fed over HTTP.
//
// One supervising task on the control executor starts the server, waits for its end and starts it again, for ever; runs on
// the lanes look at what it published.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "http/client.h"
#include "runtime/broadcast.h"
#include "runtime/instance.h"
#include "runtime/run_gate.h"
#include "runtime/scratch_server.h"
#include "runtime/server.h"

namespace millrace::runtime {

class ProcessInstance final : public Instance {
public:
    ProcessInstance(TransformSpec spec, InstanceEnvironment environment);

    Task<Result<void>> start() override;
    Task<void> stop() override;
    Task<RunResult> run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;
    Task<RunResult> run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;

    InstanceStatus status() const override;
    std::string log_tail() const override { return log_->text(); }
    const TransformSpec& spec() const override { return spec_; }

private:
    struct Lane {
        Executor executor;
        std::shared_ptr<http::Client> client;  // made at the first run; used on the lane only, as all here
        http::Endpoint last;                   // the server that it last talked to
    };

    Task<void> supervise();
    Task<Result<void>> start_server();
    Result<void> prepare();
    void publish(InstanceState state, std::string reason, std::shared_ptr<ServerFacts> server, int pid);
    Task<RunResult> push(Lane& lane, const std::shared_ptr<ServerFacts>& server, const ObjectRun& object, Source& source, Sink& sink);
    Task<std::shared_ptr<ServerFacts>> wait_running(Instant deadline);
    RunResult count(RunResult result);
    RunFailure not_running() const;

    const TransformSpec spec_;
    const InstanceEnvironment environment_;
    std::vector<Lane> lanes_;
    RunGate gate_;
    std::shared_ptr<ServerLog> log_ = std::make_shared<ServerLog>();

    // Control executor.
    std::shared_ptr<http::Client> control_client_;
    std::string socket_folder_;
    std::unique_ptr<Server> server_;
    std::uint64_t lives_ = 0;
    std::shared_ptr<Result<void>> first_outcome_;  // of the first try to start; null before it is known
    Event tried_;
    Event stopping_;
    TaskGroup tasks_;

    mutable std::mutex mutex_;
    InstanceState state_ = InstanceState::initializing;   // guarded by mutex_, as all below
    std::string reason_;
    std::shared_ptr<ServerFacts> running_;                // null unless state_ is running
    int pid_ = 0;
    std::shared_ptr<ScratchServer> scratch_;              // set by start()
    Broadcast changes_;
    std::atomic<std::uint64_t> restarts_{0};
    std::atomic<std::uint64_t> runs_{0};
    std::atomic<std::uint64_t> failures_{0};
};

}  // namespace millrace::runtime
