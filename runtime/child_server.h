// A server that is a child process of this target, with a session, a folder and a mark of its own for each life.
//
// Lives on the control executor.
#pragma once
#include <boost/asio/posix/stream_descriptor.hpp>

#include "runtime/network_namespace.h"
#include "runtime/sandbox.h"
#include "runtime/server.h"
#include "runtime/spawn.h"

namespace millrace::runtime {

class ChildServer final : public Server {
public:
    // secret_path: of what it may ask its target for.
    ChildServer(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log, std::string secret_path);

    // SIGTERM, after two seconds SIGKILL; returns when every process that it started is gone.
    Task<void> stop() override;
    ServerUsage usage() const override;
    std::shared_ptr<const Sandbox> sandbox() const override { return sandbox_; }

private:
    Task<Result<void>> launch(const ServerPlace& place) override;
    Result<void> spawn_process(const ServerPlace& place);
    Result<void> enter_sandbox(const ServerPlace& place, const std::string& program);
    Result<void> open_door();
    Result<http::Endpoint> choose_endpoint(const ServerPlace& place) const;
    SpawnRequest request(const http::Endpoint& endpoint, const std::string& own_folder, const std::string& path) const;
    Task<void> close_door();
    Result<void> write_pid_file(const ServerPlace& place);
    Task<void> watch_exit();
    Task<void> read_log();
    void drain_log();

    const InstanceEnvironment& environment_;
    const std::string secret_path_;
    std::string target_url_;
    const Marks marks_;
    std::shared_ptr<const Sandbox> sandbox_;           // null: none
    std::shared_ptr<const OwnUser> user_;
    Descriptor list_;
    std::string socket_folder_;                        // its own, in a sandbox; empty: it shares one
    std::shared_ptr<NetworkNamespace> network_;        // null: the target's
    std::unique_ptr<http::Server> callbacks_;          // the target's door for it; null: nobody is there to answer
    std::optional<Child> child_;
    boost::asio::posix::stream_descriptor log_pipe_;
    std::string pid_file_;
};

}  // namespace millrace::runtime
