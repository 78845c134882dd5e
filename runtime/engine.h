// A client for the Engine API of Docker, which Podman speaks too: images and containers over a Unix socket.
//
// It only asks and answers: who starts a container watches it, ends it and removes it, and finds what an earlier process
// left by its label. Every container is hardened: its root is read-only, it has no capabilities and cannot gain any.
// Errors carry the engine's own words. Every call has a deadline: ten seconds, a minute to create, start and remove.
// One executor.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/body.h"
#include "core/task.h"
#include "http/client.h"

namespace millrace::runtime {

struct Bind {
    std::string host_path;  // absolute; must exist
    std::string container_path;
    bool read_only = true;
};

struct ContainerRequest {
    std::string name;               // "": the engine thinks one up
    std::string image;              // as the engine knows it
    std::vector<std::string> argv;  // replaces the image's entry point and command; empty: those
    std::vector<std::pair<std::string, std::string>> env;
    std::vector<std::pair<std::string, std::string>> labels;
    std::string user;               // "uid:gid"; "": the image's
    std::string workdir;            // "": the image's
    std::string network = "none";   // or "bridge", "host", or a network that the engine has
    std::vector<Bind> binds;
    std::uint64_t memory_bytes = 0;  // 0: no limit; there is no swap beyond it
    std::uint32_t cpu_millis = 0;    // thousandths of a processor; 0: no limit
    std::uint32_t pids_max = 0;      // 0: no limit
    std::uint64_t tmpfs_bytes = 64 << 20;  // of /tmp, which is memory and counts as such
    std::uint64_t open_files = 16384;      // at most; less where our own hard limit is lower
};

struct ImageInfo {
    std::string id;
    std::string user;               // "": root
    std::vector<std::string> argv;  // entry point and command
};

struct ContainerState {
    std::string id;
    bool running = false;
    int pid = 0;                 // of its first process, in our own pid namespace; 0 unless it runs
    int exit_code = 0;           // 128 + N when signal N ended it
    bool out_of_memory = false;  // Docker says so; Podman does not know
    std::string error;           // why it could not be started, where the engine remembers it
    std::string address;         // IPv4 or IPv6 in its network; "" without one
};

class Engine {
public:
    Engine(Executor executor, std::string socket);

    // Where engines listen, the likeliest first. One that somebody named, in the configuration or in DOCKER_HOST, is the
    // only one: to run containers elsewhere would be a surprise.
    static std::vector<std::string> usual_sockets(const std::string& configured);

    // "Podman Engine 4.3.1". As in every call, Code::unavailable when no engine answers, with what to do about it.
    Task<Result<std::string>> ping();

    // Code::not_found unless the engine has it already.
    Task<Result<ImageInfo>> image(std::string name);
    // From the registry that its name says; ":latest" where it has neither tag nor digest.
    Task<Result<void>> pull(std::string name, Instant deadline);

    // The id. Code::not_found: no such image; Code::already_exists: the name is taken.
    Task<Result<std::string>> create(ContainerRequest request);
    // All that a container writes, if called between create() and start(); the engine keeps nothing of it. Read it or
    // destroy it: while nobody reads, the container stops at its next write, and Podman can neither end nor remove it.
    // Fails in place of start() where the engine finds out here that there is no such program.
    Task<Result<std::unique_ptr<Source>>> attach(std::string id, Instant deadline);
    // Success when it runs already.
    Task<Result<void>> start(std::string id);
    // Asks again for a moment when the engine reports an error of its own: Podman does when the container ends while it looks.
    Task<Result<ContainerState>> inspect(std::string id);
    // Code::conflict when it does not run.
    Task<Result<void>> kill(std::string id, std::string signal);
    // With its processes, if it runs; success when it is gone already.
    Task<Result<void>> remove(std::string id);
    // The ids of all containers with the label ("key=value"), also of those that do not run.
    Task<Result<std::vector<std::string>>> list(std::string label);

private:
    struct Call;
    // Returns when the reply's header is here. A status of 400 or more is an Error.
    Task<Result<std::unique_ptr<http::Exchange>>> open(Call call);
    // The same, with the reply's body.
    Task<Result<std::string>> send(Call call);
    Error no_engine(const Error& why) const;

    http::Client client_;
    http::Endpoint endpoint_;
};

}  // namespace millrace::runtime
