// A transform that is a server, a process or a container of ours: started, kept running, and fed.
//
// One supervising task on the control executor starts the server, waits for its end and starts it again, until it has failed too
// often in a row; runs on the lanes look at what it published.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "runtime/broadcast.h"
#include "runtime/communicator.h"
#include "runtime/instance.h"
#include "runtime/run_gate.h"
#include "runtime/scratch_server.h"
#include "runtime/server_factory.h"

namespace millrace::runtime {

class ServerInstance final : public Instance {
public:
    ServerInstance(TransformSpec spec, InstanceEnvironment environment);

    Task<Result<void>> start() override;
    Task<void> stop() override;
    Task<RunResult> run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;
    Task<RunResult> run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;

    InstanceStatus status() const override;
    std::string log_tail() const override { return log_->text(); }
    std::uint64_t log_bytes() const override { return log_->bytes(); }
    bool knows_secret(std::string_view secret) const override { return secret == secret_; }
    ServerUsage usage() const override;
    const TransformSpec& spec() const override { return spec_; }

private:
    struct Lane {
        Executor executor;
        std::shared_ptr<ServerFacts> server;          // that the communicator talks to; used on the lane only, as all here
        std::shared_ptr<Communicator> communicator;
    };

    Task<void> supervise();
    Task<RunResult> run_shared(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink);
    Task<RunResult> run_alone(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink);
    Task<Result<void>> start_server();
    Task<void> measure();
    Task<void> replace_if_stuck(std::shared_ptr<ServerFacts> server);
    Result<void> prepare();
    void publish(InstanceState state, std::string reason, std::shared_ptr<ServerFacts> server, int pid);
    void remember_death(const std::string& how);
    Task<std::shared_ptr<Communicator>> communicator(Lane& lane, std::shared_ptr<ServerFacts> server);
    static Task<void> close_lane(Lane& lane);
    RunResult explain(RunResult result) const;
    Task<std::shared_ptr<ServerFacts>> wait_running(Instant deadline);
    RunResult count(RunResult result);
    Failure not_running() const;

    const TransformSpec spec_;
    const InstanceEnvironment environment_;
    const std::string secret_;
    const std::shared_ptr<ServerLog> log_ = std::make_shared<ServerLog>();
    const ServerFactory make_server_;
    std::vector<Lane> lanes_;
    RunGate gate_;

    // Control executor.
    std::string socket_folder_;
    std::shared_ptr<Server> server_;
    std::uint64_t lives_ = 0;
    bool looks_if_stuck_ = false;
    std::string stuck_;                            // why the server is being stopped; else empty
    std::shared_ptr<Result<void>> first_outcome_;  // of the first try to start; null before it is known
    Event tried_;
    Event stopping_;
    TaskGroup tasks_;

    mutable std::mutex mutex_;
    InstanceState state_ = InstanceState::initializing;   // guarded by mutex_, as all below
    std::string reason_;
    std::string last_death_;
    std::string last_death_log_;
    std::string sandbox_;
    std::string sandbox_lacks_;
    std::shared_ptr<ServerFacts> running_;                // null unless state_ is running
    int pid_ = 0;
    std::shared_ptr<ScratchServer> scratch_;              // set by start()
    ServerUsage usage_;                                   // measured every few seconds
    Broadcast changes_;
    std::atomic<std::uint64_t> restarts_{0};
    std::atomic<std::uint64_t> runs_{0};
    std::atomic<std::uint64_t> failures_{0};
};

}  // namespace millrace::runtime
