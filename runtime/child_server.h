// A server that is a child process of this target, with a session, a folder and a mark of its own for each life.
//
// Lives on the control executor.
#pragma once
#include <boost/asio/posix/stream_descriptor.hpp>

#include "runtime/server.h"
#include "runtime/spawn.h"

namespace millrace::runtime {

class ChildServer final : public Server {
public:
    ChildServer(const TransformSpec& spec, Executor control, std::shared_ptr<ServerLog> log, std::string target_url,
                const std::string& realm_folder);

    // SIGTERM, after two seconds SIGKILL; returns when every process that it started is gone.
    Task<void> stop() override;
    ServerUsage usage() const override;

private:
    Task<Result<void>> launch(const ServerPlace& place) override;
    Result<void> spawn_process(const ServerPlace& place);
    Result<http::Endpoint> choose_endpoint(const ServerPlace& place) const;
    Result<void> write_pid_file(const ServerPlace& place);
    Task<void> watch_exit();
    Task<void> read_log();
    void drain_log();

    const std::string target_url_;
    const Marks marks_;
    std::optional<Child> child_;
    boost::asio::posix::stream_descriptor log_pipe_;
    std::string pid_file_;
};

}  // namespace millrace::runtime
