// The one executable: nodes are run here, every other verb is the client's.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "app/node_commands.h"
#include "cli/cli.h"
#include "core/fault.h"

namespace {

// A node holds a file and a socket for much of what it does at once.
void raise_open_files_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    if (auto armed = millrace::fault::arm_from_environment(); !armed) {
        std::fprintf(stderr, "millrace: %s\n", armed.error().context.c_str());
        return 2;
    }
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "proxy" || verb == "target" || verb == "dev") {
        raise_open_files_limit();
        if (verb == "proxy") return millrace::app::run_proxy(argc - 1, argv + 1);
        if (verb == "target") return millrace::app::run_target(argc - 1, argv + 1);
        return millrace::app::run_dev(argc - 1, argv + 1);
    }
    return millrace::cli::run(argc, argv);
}
