// A server that is a container of a Docker-compatible engine, locked up: no network but the loopback of its own namespace,
// which this target enters to reach it and to answer it; a read-only root; no privileges; limits.
//
// Lives on the control executor.
#pragma once
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>

#include "http/server.h"
#include "runtime/cgroup.h"
#include "runtime/engine.h"
#include "runtime/network_namespace.h"
#include "runtime/server.h"

namespace millrace::runtime {

class ContainerServer final : public Server {
public:
    // secret_path: "/v1/etl/_object/NAME/SECRET", where it finds the objects of this target.
    ContainerServer(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log, std::string secret_path);

    // SIGTERM, after a second the engine removes the container with all that runs in it.
    Task<void> stop() override;
    ServerUsage usage() const override;

private:
    Task<Result<void>> launch(const ServerPlace& place) override;
    Task<Result<void>> find_engine();
    Task<Result<ImageInfo>> find_image();
    Result<ContainerRequest> request(const ImageInfo& image, const ServerPlace& place);
    Result<void> add_socket_folder(ContainerRequest& request, const ServerPlace& place);
    void add_target(ContainerRequest& request);
    Task<Result<void>> run(ContainerRequest request);
    Result<void> take_in(const ContainerState& state);
    Result<void> open_doors();
    Task<void> watch_exit();
    Task<void> read_log();
    Task<void> read_output();
    struct End {
        std::string how;
        bool in_order = false;
    };
    Task<End> cause_of_death(bool was_oom);
    Task<void> close_door();
    std::string ending(const ContainerState& state) const;

    const InstanceEnvironment& environment_;
    const std::string secret_path_;
    std::unique_ptr<Engine> engine_;
    std::string id_;                            // of the container; empty: none was made, or it was removed
    std::string unix_path_;                     // of the server's socket, as seen from here; empty: it is reached over TCP
    std::string target_url_;
    std::uint16_t callback_port_ = 0;
    std::unique_ptr<Source> output_;
    boost::asio::posix::stream_descriptor pidfd_;
    std::shared_ptr<NetworkNamespace> network_;
    std::unique_ptr<http::Server> callbacks_;   // answers in the container's network
    std::optional<Cgroup> cgroup_;
    Event log_ended_;
};

}  // namespace millrace::runtime
