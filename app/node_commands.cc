#include "app/node_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "aistore/surface.h"
#include "app/signals.h"
#include "core/log.h"
#include "scheduler/proxy_service.h"
#include "worker/target_service.h"

namespace millrace::app {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int complain(const std::string& what, const Error& error, int status) {
    std::fprintf(stderr, "millrace: %s: %s\n", what.c_str(), error.context.c_str());
    return status;
}

struct NodeArguments {
    std::string config_file;
    bool print_config = false;
    bool no_fork_server = false;
    int exit_status = -1;  // >= 0: nothing to run
};

NodeArguments parse(const char* name, const char* about, int argc, char** argv) {
    NodeArguments arguments;
    CLI::App app(about, std::string("millrace ") + name);
    app.footer(std::string("Example:\n  millrace ") + name + " --config " + name + ".yaml\n\n"
               "Every key may be overridden by an environment variable MILLRACE_<KEY>.");
    app.add_option("--config", arguments.config_file, "YAML file; 'dir' is the one key it must have")->required();
    if (std::string_view(name) == "target") {
        app.add_flag("--no-fork-server", arguments.no_fork_server, "start every process of a filter anew (fork_server: false)");
    }
    app.add_flag("--print-config", arguments.print_config, "print every key with its value, and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& failure) {
        arguments.exit_status = app.exit(failure) == 0 ? 0 : kExitUsage;
    }
    return arguments;
}

template <class Config, class Start>
int serve(const char* name, const NodeArguments& arguments, const Result<Config>& config, Start start) {
    if (!config) return complain("configuration", config.error(), kExitUsage);
    if (arguments.print_config) {
        std::fputs(dump(*config).c_str(), stdout);
        return 0;
    }
    block_stop_signals();
    const Result<log::Level> level = log::parse_level(config->log_level);
    if (auto started = log::start(name, level.value_or(log::Level::info), config->log_file); !started) {
        return complain("log", started.error(), kExitFailed);
    }
    auto service = start(*config);
    if (!service) return complain(std::string(name) + " cannot start", service.error(), kExitFailed);
    std::printf("millrace %s ready at %s\n", name, (*service)->endpoint().c_str());
    std::fflush(stdout);
    while (wait_for_signal(std::chrono::hours(1), false) == 0) {
    }
    (*service)->stop();
    return 0;
}

}  // namespace

int run_proxy(int argc, char** argv) {
    const NodeArguments arguments = parse("proxy", "Run a proxy: the front door and the job scheduler.", argc, argv);
    if (arguments.exit_status >= 0) return arguments.exit_status;
    const auto start = [](const ProxyConfig& config) { return scheduler::ProxyService::start(config, {aistore::add_surface}); };
    return serve("proxy", arguments, load_proxy_config(arguments.config_file), start);
}

int run_target(int argc, char** argv) {
    const NodeArguments arguments = parse("target", "Run a target: it stores objects and transforms them.", argc, argv);
    if (arguments.exit_status >= 0) return arguments.exit_status;
    Result<TargetConfig> config = load_target_config(arguments.config_file);
    if (config && arguments.no_fork_server) config->fork_server = false;
    return serve("target", arguments, config, worker::TargetService::start);
}

}  // namespace millrace::app
