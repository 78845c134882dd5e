#include "app/node_commands.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "aistore/surface.h"
#include "app/signals.h"
#include "core/file.h"
#include "core/log.h"
#include "core/private_files.h"
#include "http/tls_context.h"
#include "scheduler/proxy_service.h"
#include "state/kv.h"
#include "wire/join_code.h"
#include "worker/target_service.h"

namespace millrace::app {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitStore = 74;  // EX_IOERR
constexpr auto kLook = milliseconds(500);
constexpr auto kFailureShown = std::chrono::seconds(3);    // /health says it for so long
constexpr unsigned kStopSecondsMax = 45;                   // of a node that can write nothing

int complain(const std::string& what, const Error& error, int status) {
    std::fprintf(stderr, "millrace: %s: %s\n", what.c_str(), error.context.c_str());
    return status;
}

struct NodeArguments {
    std::string config_file;
    std::string dir;
    std::string join;
    std::string join_file;
    bool print_config = false;
    bool no_fork_server = false;
    bool accept_loss = false;
    bool insecure = false;
    int exit_status = -1;  // >= 0: nothing to run
};

NodeArguments parse(const char* name, const char* about, int argc, char** argv) {
    NodeArguments arguments;
    CLI::App app(about, std::string("millrace ") + name);
    app.footer(std::string("Example:\n  millrace ") + name + " --config " + name + ".yaml\n\n"
               "Every key may be overridden by an environment variable MILLRACE_<KEY>.\n"
               "Exit status: 0 stopped in order, 1 cannot start, 2 bad arguments or configuration,\n"
               "74 ended because nothing could be written down any more: start it again.");
    const bool is_target = std::string_view(name) == "target";
    const char* const needed = is_target ? "YAML file; 'dir' and 'proxy' must be given" : "YAML file; 'dir' must be given";
    auto* const config = app.add_option("--config", arguments.config_file, needed);
    if (is_target) {
        auto* const dir = app.add_option("--dir", arguments.dir, "folder of the target (dir); in the place of --config, or before what it says");
        auto* const join = app.add_option("--join", arguments.join, "come into a cluster with the code that 'millrace cluster invite' printed; - reads it from "
                                          "standard input, which other users of this machine cannot see. MILLRACE_JOIN in the environment is the same");
        app.add_option("--join-file", arguments.join_file, "the same, from a file; - for standard input")->excludes(join)->type_name("FILE");
        app.callback([config, dir] {
            if (config->count() == 0 && dir->count() == 0) throw CLI::RequiredError("--config or --dir");
        });
    } else {
        config->required();
    }
    if (is_target) {
        app.add_flag("--no-fork-server", arguments.no_fork_server, "start every process of a filter anew (fork_server: false)");
    }
    app.add_flag("--accept-loss", arguments.accept_loss,
                 "start although the store's log is damaged, once: what was written after the damage is lost; it is kept aside, and the log says what");
    app.add_flag("--insecure", arguments.insecure, "listen beyond this machine although nobody is asked who they are (insecure: true)");
    app.add_flag("--print-config", arguments.print_config, "print every key with its value, and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& failure) {
        arguments.exit_status = app.exit(failure) == 0 ? 0 : kExitUsage;
    }
    return arguments;
}

// Other nodes are shown this node's certificate, and believed by those that the authority has signed.
template <class Config>
Result<void> use_tls(const Config& config) {
    if (config.tls_certificate.empty() != config.tls_key.empty() || config.tls_certificate.empty() != config.tls_ca.empty()) {
        return fail(Code::invalid_argument, "tls_certificate, tls_key and tls_ca go together: 'millrace ca issue' makes what is missing");
    }
    if (config.tls_certificate.empty()) return {};
    MILLRACE_TRY_ASSIGN(auto context, http::TlsContext::open({config.tls_certificate, config.tls_key, config.tls_ca}, http::TlsContext::Role::client));
    http::set_client_tls(std::move(context));
    return {};
}

// A store that is opened on a full disk may be left half opened. Code::cancelled: told to stop meanwhile.
template <class Config, class Start>
auto start_when_there_is_room(const char* name, const Config& config, Start start) {
    using Started = decltype(start(config));
    bool said = false;
    for (;;) {
        const Result<void> room = state::check_room(config.dir);
        const bool is_full = !room && room.error().code == Code::no_space;
        Started service = is_full ? Started(room.error()) : start(config);
        if (service || service.error().code != Code::no_space) return service;
        if (!std::exchange(said, true)) complain(std::string(name) + " waits for room on its disk before it starts", service.error(), kExitFailed);
        if (wait_for_signal(kLook, false) != 0) return Started(fail(Code::cancelled, "stopped"));
    }
}

template <class Service>
int end_failed(const char* name, Service& service, const std::string& failure) {
    (void)complain(std::string(name) + " ends", fail(Code::io, failure), kExitStore);
    (void)wait_for_signal(kFailureShown, false);
    std::signal(SIGALRM, [](int) { ::_exit(kExitStore); });
    ::alarm(kStopSecondsMax);
    service.stop();
    return kExitStore;
}

template <class Config, class Start>
int serve(const char* name, const NodeArguments& arguments, Result<Config> config, Start start) {
    if (!config) return complain("configuration", config.error(), kExitUsage);
    if (arguments.insecure) config->insecure = true;
    if (arguments.print_config) {
        std::fputs(dump(*config).c_str(), stdout);
        return 0;
    }
    if (const auto allowed = check_exposure(*config); !allowed) {
        return complain(std::string(name) + " does not start", allowed.error(), kExitUsage);
    }
    keep_files_private();
    block_stop_signals();
    const Result<log::Level> level = log::parse_level(config->log_level);
    if (auto started = log::start(name, level.value_or(log::Level::info), config->log_file); !started) {
        return complain("log", started.error(), kExitFailed);
    }
    if (const auto set = use_tls(*config); !set) return complain(std::string(name) + " does not start", set.error(), kExitUsage);
    auto service = start_when_there_is_room(name, *config, start);
    if (!service && service.error().code == Code::cancelled) return 0;
    if (!service) return complain(std::string(name) + " cannot start", service.error(), kExitFailed);
    if (const std::string exposed = exposure(*config); !exposed.empty()) {
        std::fprintf(stderr, "millrace: insecure: this %s %s\n", name, exposed.c_str());
    }
    if constexpr (requires { config->sandbox; }) {
        if (!config->sandbox) std::fprintf(stderr, "millrace: sandbox: off: commands of transforms run with every right of this user\n");
    }
    std::printf("millrace %s ready at %s\n", name, (*service)->endpoint().c_str());
    std::fflush(stdout);
    while (wait_for_signal(kLook, false) == 0) {
        if (const auto failure = (*service)->failure()) return end_failed(name, **service, *failure);
    }
    (*service)->stop();
    return 0;
}

// Arguments are seen by every user of the machine; a file, standard input and the environment are not.
Result<std::string> read_join_code(const NodeArguments& arguments) {
    const std::string file = arguments.join == "-" ? "-" : arguments.join_file;
    if (!file.empty()) return read_file(file == "-" ? "/dev/stdin" : file, wire::kJoinCodeBytesMax);
    if (!arguments.join.empty()) return arguments.join;
    const char* const given = std::getenv("MILLRACE_JOIN");
    std::string code = given == nullptr ? "" : given;
    ::unsetenv("MILLRACE_JOIN");  // what this target runs does not get it
    return code;
}

}  // namespace

int run_proxy(int argc, char** argv) {
    const NodeArguments arguments = parse("proxy", "Run a proxy: the front door and the job scheduler.", argc, argv);
    if (arguments.exit_status >= 0) return arguments.exit_status;
    const auto start = [&](const ProxyConfig& config) { return scheduler::ProxyService::start(config, {aistore::add_surface}, arguments.accept_loss); };
    return serve("proxy", arguments, load_proxy_config(arguments.config_file), start);
}

int run_target(int argc, char** argv) {
    const NodeArguments arguments = parse("target", "Run a target: it stores objects and transforms them.", argc, argv);
    if (arguments.exit_status >= 0) return arguments.exit_status;
    if (!arguments.dir.empty()) ::setenv("MILLRACE_DIR", arguments.dir.c_str(), 1);  // before there are threads
    const Result<std::string> join_code = read_join_code(arguments);
    if (!join_code) return complain("target", join_code.error(), kExitUsage);
    Result<TargetConfig> config = load_target_config(arguments.config_file);
    if (config && arguments.no_fork_server) config->fork_server = false;
    const auto start = [&](const TargetConfig& usable) { return worker::TargetService::start(usable, arguments.accept_loss, *join_code); };
    return serve("target", arguments, config, start);
}

}  // namespace millrace::app
