#include "app/dev_cluster.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "app/signals.h"
#include "core/descriptor.h"
#include "core/file.h"

extern char** environ;

namespace millrace::app {
namespace {

namespace fs = std::filesystem;

constexpr auto kSilenceMax = std::chrono::seconds(5);

std::string ending_text(int status) {
    if (WIFSIGNALED(status)) return std::string("killed by ") + strsignal(WTERMSIG(status));
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

std::string last_lines(const std::string& file, std::size_t bytes) {
    const auto text = read_file(file);
    if (!text) return "";
    return text->size() > bytes ? text->substr(text->size() - bytes) : *text;
}

Result<int> status_of(Loop& loop, http::Client& client, const std::string& endpoint_text) {
    MILLRACE_TRY_ASSIGN(const http::Endpoint endpoint, http::Endpoint::parse(endpoint_text));
    http::ClientRequest request{.method = "GET", .target = "/health"};
    request.deadline = steady_now() + std::chrono::seconds(2);
    auto reply = run_blocking(loop, http::fetch(client, endpoint, request));
    if (!reply) return reply.error();
    return reply->status;
}

// The process that has locked this file for itself; nullopt: none.
std::optional<pid_t> holder_of(const std::string& file) {
    const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (!opened.is_open() || ::fcntl(opened.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
    return lock.l_pid;
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace

Result<DevCluster> DevCluster::prepare(const std::string& folder, std::size_t targets, std::uint16_t port) {
    MILLRACE_TRY(make_folder(folder));
    DevCluster cluster;
    cluster.executable_ = fs::read_symlink("/proc/self/exe").string();
    cluster.folder_ = fs::absolute(folder).string();
    std::size_t existing = 0;
    while (fs::exists(cluster.folder_ + "/t" + std::to_string(existing + 1) + ".yaml")) ++existing;
    MILLRACE_TRY(cluster.take_folder(existing));
    if (existing > 0 && targets > 0 && targets != existing) {
        return fail(Code::conflict, folder + " holds a cluster of " + std::to_string(existing) + " targets, and objects do not move between targets; "
            "leave --targets out, or choose another --dir");
    }
    const std::size_t count = existing > 0 ? existing : targets > 0 ? targets : 3;
    const std::string proxy_dir = cluster.folder_ + "/proxy";
    // Rewritten at every start: --port may be another one.
    MILLRACE_TRY(write_file(cluster.folder_ + "/proxy.yaml", "dir: " + proxy_dir + "\nport: " + std::to_string(port) + "\n"));
    cluster.nodes_.push_back({"proxy", cluster.folder_ + "/proxy.yaml"});
    for (std::size_t i = 1; i <= count; ++i) {
        const std::string name = "t" + std::to_string(i);
        const std::string file = cluster.folder_ + "/" + name + ".yaml";
        if (!fs::exists(file)) {
            MILLRACE_TRY(write_file(file, "dir: " + cluster.folder_ + "/" + name + "\nid: " + name + "\nproxy: file:" + proxy_dir + "/control_endpoint\n"));
        }
        cluster.nodes_.push_back({name, file});
    }
    return cluster;
}

// Held as long as this process lives.
Result<void> DevCluster::take_folder(std::size_t targets) const {
    const std::string path = folder_ + "/lock";
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return errno_error("cannot open " + path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        const std::string holder = trimmed(read_file(path).value_or(""));
        return fail(Code::conflict, "another millrace dev" + (holder.empty() ? "" : " (pid " + holder + ")") + " runs on " + folder_ +
            ", and goes on undisturbed; stop it, or choose another --dir");
    }
    MILLRACE_TRY(check_nodes_rest(targets));
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0 || ::write(file.get(), pid.data(), pid.size()) < 0) return errno_error("cannot write " + path, errno);
    (void)file.release();
    return {};
}

Result<void> DevCluster::check_nodes_rest(std::size_t targets) const {
    for (std::size_t i = 0; i <= targets; ++i) {
        const std::string name = i == 0 ? "proxy" : "t" + std::to_string(i);
        const auto holder = holder_of(folder_ + "/" + name + "/state/LOCK");
        if (!holder) continue;
        const std::string pid = std::to_string(*holder);
        return fail(Code::conflict, name + " of " + folder_ + " runs already (pid " + pid + "), without a millrace dev; stop it with: kill " + pid);
    }
    return {};
}

Result<void> DevCluster::start_all(bool accept_loss) {
    for (const Node& node : nodes_) {
        std::error_code ignored;
        fs::remove(folder_ + "/" + node.name + "/endpoint", ignored);  // what it says is from the last time
    }
    for (Node& node : nodes_) MILLRACE_TRY(start(node, accept_loss));
    return {};
}

Result<void> DevCluster::start(Node& node, bool accept_loss) {
    const std::string verb = node.name == "proxy" ? "proxy" : "target";
    const std::string log = log_file(node);
    std::string arguments[] = {executable_, verb, "--config", node.config, "--accept-loss"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), accept_loss ? arguments[4].data() : nullptr, nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);  // Ctrl-C reaches this process only, which stops them in order
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    const int failure = posix_spawn(&node.pid, executable_.c_str(), &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
        node.pid = 0;
        return errno_error("cannot start " + node.name, failure);
    }
    return {};
}

Error DevCluster::failed_start(const Node& node, Code code, const std::string& how) const {
    return fail(code, node.name + " " + how + "; the end of " + log_file(node) + ":\n" + last_lines(log_file(node), 600));
}

Result<std::string> DevCluster::wait_ready(Duration patience) {
    Loop loop("dev");
    auto client = std::make_unique<http::Client>(loop.executor());
    const Instant begun = steady_now();
    bool said = false;
    Result<std::string> outcome = std::string();
    for (;;) {
        const auto ended = reap();
        if (!ended.empty()) {
            outcome = failed_start(*ended.front().first, Code::unavailable, "ended (" + ended.front().second + ")");
            break;
        }
        const auto waited_for = std::ranges::find_if_not(nodes_, [&](const Node& node) { return is_ready(loop, *client, node); });
        if (waited_for == nodes_.end()) {
            outcome = trimmed(read_file(folder_ + "/proxy/endpoint").value_or(""));
            break;
        }
        if (steady_now() - begun > patience) {
            outcome = failed_start(*waited_for, Code::timed_out, "was not ready in time");
            break;
        }
        if (steady_now() - begun > kSilenceMax && !std::exchange(said, true)) {
            std::fprintf(stderr, "millrace dev: waiting for %s; its log: %s\n", waited_for->name.c_str(), log_file(*waited_for).c_str());
        }
        if (const int signal = wait_for_signal(milliseconds(50), false); signal != 0) {
            outcome = fail(Code::cancelled, "interrupted");
            break;
        }
    }
    auto close = [&client]() -> Task<void> {
        client.reset();
        co_return;
    };
    run_blocking(loop, close());
    return outcome;
}

bool DevCluster::is_ready(Loop& loop, http::Client& client, const Node& node) const {
    const auto endpoint = read_file(folder_ + "/" + node.name + "/endpoint");
    if (!endpoint) return false;
    const auto status = status_of(loop, client, trimmed(*endpoint));
    return status && *status == 200;
}

std::vector<std::pair<DevCluster::Node*, std::string>> DevCluster::reap() {
    std::vector<std::pair<Node*, std::string>> ended;
    for (Node& node : nodes_) {
        int status = 0;
        if (node.pid > 0 && ::waitpid(node.pid, &status, WNOHANG) == node.pid) {
            node.pid = 0;
            ended.emplace_back(&node, ending_text(status));
        }
    }
    return ended;
}

void DevCluster::stop(Duration patience) {
    const Instant deadline = steady_now() + patience;
    // Targets first, so that they can say goodbye.
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
        if (node->pid > 0) ::kill(node->pid, SIGTERM);
    }
    const auto running = [this] {
        reap();
        for (const Node& node : nodes_) {
            if (node.pid > 0) return true;
        }
        return false;
    };
    while (running() && steady_now() < deadline) (void)wait_for_signal(milliseconds(100), true);
    for (Node& node : nodes_) {
        if (node.pid <= 0) continue;
        ::kill(node.pid, SIGKILL);
        ::waitpid(node.pid, nullptr, 0);
        node.pid = 0;
    }
}

}  // namespace millrace::app
