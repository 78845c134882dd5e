#include "cli/cli.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/completion.h"
#include "cli/endpoint.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/token.h"
#include "cli/trust.h"

namespace millrace::cli {
namespace {

int run(Console& console, const Invocation&, const Help& verb) {
    (verb.status == kExitDone ? console.out : console.err) << verb.text;
    return verb.status;
}

int run(Console& console, const Invocation& invocation, const Version&) {
    if (invocation.json) {
        print_json(console.out, {{"version", MILLRACE_VERSION}});
    } else {
        console.out << "millrace " MILLRACE_VERSION "\n";
    }
    return kExitDone;
}

int run(Console& console, const Invocation&, const Completion& verb) {
    console.out << completion_script(verb.shell, command_words());
    return kExitDone;
}

int run(Console&, const Invocation&, const std::monostate&) { return kExitUsage; }

// Those that need no cluster.
template <class V>
    requires requires(Console& console, const V& verb) { cli::run(console, false, verb); }
int run(Console& console, const Invocation& invocation, const V& verb) {
    return cli::run(console, invocation.json, verb);
}

// All other verbs talk to the cluster.
template <class V>
    requires requires(Context& context, const V& verb) { cli::run(context, verb); }
int run(Console& console, const Invocation& invocation, const V& verb) {
    auto proxy = find_proxy(invocation.endpoint, console);
    if (!proxy) {
        report(console, "endpoint", proxy.error().context);
        return kExitUsage;
    }
    if (proxy->endpoint.scheme == http::Scheme::https) {
        if (const auto trust = set_trust(console); !trust) {
            report(console, "certificates", trust.error().context);
            return kExitUsage;
        }
    }
    auto token = find_token(console);
    if (!token) {
        report(console, "token", token.error().context);
        return kExitUsage;
    }
    Session session(std::move(*proxy), [&console](const std::string& text) { notice(console, text); }, std::move(*token));
    Context context{console, session, invocation.json};
    return cli::run(context, verb);
}

std::size_t terminal_columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::optional<std::string> environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

int run(Console& console, const std::vector<std::string>& args) {
    try {
        const auto invocation = parse_arguments(args);
        if (!invocation) {
            report(console, invocation.error().message, "", invocation.error().hint);
            return kExitUsage;
        }
        const int status = std::visit([&](const auto& verb) { return run(console, *invocation, verb); },
                                      invocation->verb);
        console.out.flush();
        if (console.out.good() || status != kExitDone) return status;
        report(console, "cannot write to standard output", "");
        return kExitFailed;
    } catch (const std::exception& error) {
        report(console, "internal error", error.what());
        return kExitFailed;
    }
}

int run(int argc, char** argv) {
    // As in `millrace ls … | head`: end quietly when nobody reads on. Sockets are written without this signal.
    std::signal(SIGPIPE, SIG_DFL);
    const bool dumb = environment("TERM").value_or("dumb") == "dumb";
    Console console{std::cin,          std::cout, std::cerr, environment, ::isatty(STDERR_FILENO) == 1 && !dumb,
                    terminal_columns()};
    return run(console, std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

}  // namespace millrace::cli
