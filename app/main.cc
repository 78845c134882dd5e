// The one executable: nodes are run here, every other verb is the client's.
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "app/node_commands.h"
#include "cli/cli.h"
#include "core/fault.h"

namespace {

// Of standard streams that are closed the next files to be opened would take the numbers. These fail as closed ones do.
void occupy_closed_streams() {
    for (int stream = 0; stream <= 2; ++stream) {
        if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
    }
}

// A node holds a file and a socket for much of what it does at once.
void raise_open_files_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    occupy_closed_streams();
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
