#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "app/dev_cluster.h"
#include "app/node_commands.h"
#include "app/signals.h"
#include "core/log.h"

namespace millrace::app {
namespace {

constexpr auto kStartPatience = std::chrono::seconds(60);
constexpr auto kStopPatience = std::chrono::seconds(40);

int complain(const Error& error, int status) {
    std::fprintf(stderr, "millrace dev: %s\n", error.context.c_str());
    return status;
}

// What the targets' configuration takes from the environment.
bool is_sandbox_off() {
    const char* const wanted = std::getenv("MILLRACE_SANDBOX");
    return wanted != nullptr && (std::string_view(wanted) == "off" || std::string_view(wanted) == "false");
}

void say_ready(const DevCluster& cluster, const std::string& endpoint) {
    std::printf("millrace dev ready at %s\n", endpoint.c_str());
    const char* folder = cluster.folder().c_str();
    for (const DevCluster::Node& node : cluster.nodes()) {
        std::printf("  %-6s pid %-8d log %s/%s.log\n", node.name.c_str(), node.pid, folder, node.name.c_str());
    }
    if (is_sandbox_off()) std::printf("MILLRACE_SANDBOX is off: commands of transforms run with every right of your user\n");
    std::printf("in another terminal:\n  export MILLRACE_ENDPOINT=%s\n  millrace cluster show\n", endpoint.c_str());
    std::printf("Ctrl-C stops the cluster; its data stays in %s\n", folder);
    std::fflush(stdout);
}

// Until a stop signal: tells of nodes that end, and with supervise starts them again.
void watch(DevCluster& cluster, bool supervise) {
    for (;;) {
        const int signal = wait_for_signal(std::chrono::hours(1), true);
        if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) return;
        for (const auto& [node, how] : cluster.reap()) {
            const std::string verb = node->name == "proxy" ? "proxy" : "target";
            std::fprintf(stderr, "millrace dev: %s ended: %s%s\n", node->name.c_str(), how.c_str(), supervise ? "; starting it again" : "");
            if (!supervise) {
                std::fprintf(stderr, "  start it again with: millrace %s --config %s (it is then yours to stop)\n", verb.c_str(), node->config.c_str());
            } else if (wait_for_signal(std::chrono::seconds(1), false) != 0) {
                return;
            } else if (auto started = cluster.start(*node); !started) {
                std::fprintf(stderr, "millrace dev: %s\n", started.error().context.c_str());
            }
        }
    }
}

}  // namespace

int run_dev(int argc, char** argv) {
    std::size_t targets = 0;
    std::string folder = "millrace-dev";
    std::uint16_t port = 8080;
    bool supervise = false;
    bool no_fork_server = false;
    bool accept_loss = false;
    CLI::App app("Run a whole cluster on this machine: a proxy and some targets, each a process of its own.", "millrace dev");
    app.footer("Examples:\n  millrace dev\n  millrace dev --targets 5 --dir /data/millrace --port 0\n\n"
               "A second start on the same folder comes back with all its data.");
    app.add_option("--targets", targets, "number of targets (3 in a new folder; later as many as it has)")->check(CLI::Range(1, 64));
    app.add_option("--dir", folder, "folder of the cluster")->capture_default_str();
    app.add_option("--port", port, "HTTP port of the proxy; 0 for any free one, kept from then on")->capture_default_str();
    app.add_flag("--supervise", supervise, "start nodes again when they end");
    app.add_flag("--no-fork-server", no_fork_server, "start every process of a filter anew, instead of loading its program once");
    app.add_flag("--accept-loss", accept_loss, "start nodes although the log of their store is damaged: see millrace target --help");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& failure) {
        return app.exit(failure) == 0 ? 0 : 2;
    }
    if (no_fork_server) ::setenv("MILLRACE_FORK_SERVER", "false", 1);  // the targets' configuration
    block_stop_signals();
    auto cluster = DevCluster::prepare(folder, targets, port);
    if (!cluster) return complain(cluster.error(), cluster.error().code == Code::conflict ? 2 : 1);
    Result<void> started = cluster->start_all(accept_loss);
    Result<std::string> endpoint = started ? cluster->wait_ready(kStartPatience) : Result<std::string>(started.error());
    if (!endpoint) {
        const int status = endpoint.error().code == Code::cancelled ? 130 : complain(endpoint.error(), 1);
        cluster->stop(kStopPatience);
        return status;
    }
    say_ready(*cluster, *endpoint);
    watch(*cluster, supervise);
    std::printf("stopping\n");
    cluster->stop(kStopPatience);
    return 0;
}

}  // namespace millrace::app
