#include "runtime/child_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "core/descriptor.h"
#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/pid_file.h"
#include "runtime/process_table.h"
#include "runtime/remove_tree.h"
#include "runtime/sandbox_words.h"
#include "runtime/socket_folder.h"
#include "runtime/wait_readable.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {

constexpr Duration kServerTermGrace = std::chrono::seconds(2);
constexpr Duration kSessionKillTimeMax = std::chrono::seconds(2);

// A loopback port that was free just now. Should somebody take it first, the server dies and the next life gets another.
Result<std::uint16_t> free_port() {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (!socket.is_open() || ::bind(socket.get(), generic, length) < 0 || ::getsockname(socket.get(), generic, &length) < 0) {
        return errno_error("cannot find a free port", errno);
    }
    return ntohs(address.sin_port);
}

std::string replace_all(std::string text, std::string_view what, const std::string& with) {
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
    return text;
}

}  // namespace

ChildServer::ChildServer(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log, std::string secret_path)
    : Server(spec, environment.control, std::move(log)), environment_(environment), secret_path_(std::move(secret_path)),
      marks_(environment.folder.substr(0, environment.folder.rfind('/'))),
      log_pipe_(environment.control) {}

Task<Result<void>> ChildServer::launch(const ServerPlace& place) {
    MILLRACE_CO_TRY(spawn_process(place));
    tasks_.spawn(watch_exit());
    tasks_.spawn(read_log());
    co_return write_pid_file(place);
}

Task<void> ChildServer::stop() {
    ask_to_stop();
    if (child_ && !has_exited()) {
        child_->signal_group(SIGTERM);
        (void)co_await exited_.wait_until(steady_now() + kServerTermGrace);
        while (!has_exited()) {
            child_->signal_group(SIGKILL);
            (void)co_await exited_.wait_until(steady_now() + std::chrono::seconds(1));
        }
    }
    co_await tasks_.join();
    co_await close_door();
    if (!socket_folder_.empty()) remove_folder(socket_folder_);
}

Result<http::Endpoint> ChildServer::choose_endpoint(const ServerPlace& place) const {
    http::Endpoint endpoint;
    if (spec_.listen == Listen::unix_socket) {
        endpoint.unix_path = socket_folder_.empty() ? place.socket_folder + '/' + place.socket_name : socket_folder_ + "/s";
        if (endpoint.unix_path.size() > kSocketPathBytesMax) {
            return fail(Code::invalid_argument, "the socket path " + endpoint.unix_path + " is too long");
        }
        ::unlink(endpoint.unix_path.c_str());
        return endpoint;
    }
    endpoint.host = "127.0.0.1";
    MILLRACE_TRY_ASSIGN(endpoint.port, free_port());
    return endpoint;
}

Result<void> ChildServer::spawn_process(const ServerPlace& place) {
    const std::string own_folder = place.folder + "/work";
    MILLRACE_TRY(clear_path(own_folder));  // of the life before
    MILLRACE_TRY(make_folder(own_folder));
    MILLRACE_TRY(check_workdir(spec_));
    const std::string& folder = spec_.workdir.empty() ? own_folder : spec_.workdir;
    const bool has_users = environment_.sandboxes && environment_.sandboxes->has_users() && !spec_.sandbox.off;
    const std::string path = has_users ? passable_path(child_path(spec_)) : child_path(spec_);
    MILLRACE_TRY_ASSIGN(std::string program, find_program(spec_.argv.at(0), path, folder));
    MILLRACE_TRY(enter_sandbox(place, program));
    MILLRACE_TRY(open_door());
    MILLRACE_TRY_ASSIGN(const http::Endpoint endpoint, choose_endpoint(place));
    MILLRACE_TRY_ASSIGN(Pipe log, make_pipe(PipeEnd::read));
    boost::system::error_code error;
    log_pipe_.assign(log.read.get(), error);
    if (error) return fail(Code::unavailable, "cannot watch a pipe: " + error.message());
    log.read.release();
    if (user_) ::fchmod(log.write.get(), 0666);  // for who opens it once more by name, as /dev/stderr
    SpawnRequest wanted = request(endpoint, own_folder, path);
    wanted.file = std::move(program);
    wanted.folder = folder;
    wanted.stdout_fd = wanted.stderr_fd = log.write.get();
    MILLRACE_TRY_ASSIGN(Child child, spawn(wanted));
    child_.emplace(std::move(child));
    pid_ = child_->pid();
    http::OpenSocket open_socket;
    if (network_) open_socket = [network = network_](int family) { return network->open_socket(family); };
    facts_ = std::make_shared<ServerFacts>(endpoint, open_socket);
    facts_->target_url = target_url_;
    facts_->processes.set_root(pid_);
    return {};
}

SpawnRequest ChildServer::request(const http::Endpoint& endpoint, const std::string& own_folder, const std::string& path) const {
    SpawnRequest request;
    const std::string port = std::to_string(endpoint.port);
    for (const std::string& word : spec_.argv) {
        request.argv.push_back(endpoint.unix_path.empty() ? replace_all(word, "{port}", port)
                                                          : replace_all(word, "{socket}", endpoint.unix_path));
    }
    std::vector<std::pair<std::string, std::string>> extra;
    if (endpoint.unix_path.empty()) {
        extra = {{"PORT", port}, {"MILLRACE_PORT", port}};
    } else {
        extra = {{"MILLRACE_SOCKET", endpoint.unix_path}};
    }
    extra.emplace_back("PATH", path);
    // AIStore's servers do not start without it; both spellings, as its documentation and its code differ.
    extra.emplace_back("AIS_TARGET_URL", target_url_);
    extra.emplace_back("direct_put", spec_.direct_put ? "true" : "false");
    extra.emplace_back("DIRECT_PUT", spec_.direct_put ? "true" : "false");
    if (sandbox_ && !spec_.env.contains("HOME")) extra.emplace_back("HOME", own_folder);  // the target's own is closed to it
    request.env = child_environment(spec_, own_folder, extra);
    request.limits = sandbox_ ? sandbox_->limits(spec_.limits) : spec_.limits;
    request.mark = marks_.of_instance();
    if (sandbox_) request.sandbox = sandbox_->child(list_, user_.get());
    if (network_) request.sandbox.network = network_->name();
    return request;
}

// Its user, its folders, its network; all of them for this life alone.
Result<void> ChildServer::enter_sandbox(const ServerPlace& place, const std::string& program) {
    SandboxNeeds needs{.program = program, .library = {}, .objects = {}, .serves_tcp = false};
    if (spec_.file_paths) needs.objects = environment_.object_folders;
    needs.serves_tcp = spec_.listen == Listen::tcp || spec_.direct_put || spec_.communication == spec::Communication::hpull;
    MILLRACE_TRY_ASSIGN(sandbox_, Sandbox::make(environment_.sandboxes, spec_, needs));
    if (!sandbox_) return {};
    MILLRACE_TRY_ASSIGN(user_, sandbox_->new_user());
    const std::string own_folder = place.folder + "/work";
    socket_folder_ = place.socket_folder + '/' + place.socket_name;
    MILLRACE_TRY(clear_path(socket_folder_));
    MILLRACE_TRY(make_folder(socket_folder_));
    for (const std::string& folder : {own_folder, socket_folder_}) MILLRACE_TRY(Sandbox::hand_over(folder, user_.get()));
    if (user_) {
        for (const std::string& folder : {environment_.folder, place.folder, place.socket_folder}) {
            if (::chmod(folder.c_str(), 0711) < 0) return errno_error("cannot open " + folder + " to the users of sandboxes", errno);
        }
    }
    MILLRACE_TRY_ASSIGN(list_, sandbox_->list({own_folder, socket_folder_}));
    return {};
}

// Its way to this target, and, in a network of its own, the target's way to it.
Result<void> ChildServer::open_door() {
    std::uint16_t port = 8001;
    if (!environment_.callback_lanes.empty()) callbacks_ = std::make_unique<http::Server>(environment_.callback_lanes, environment_.callbacks);
    if (sandbox_ && sandbox_->has_network_of_its_own()) {
        MILLRACE_TRY_ASSIGN(network_, NetworkNamespace::make());
        MILLRACE_TRY_ASSIGN(Descriptor listening, network_->listen(port));
        if (callbacks_) callbacks_->listen_on(listening.release());
    } else if (callbacks_) {
        MILLRACE_TRY_ASSIGN(port, callbacks_->listen("127.0.0.1", 0));
    }
    target_url_ = "http://127.0.0.1:" + std::to_string(port) + secret_path_;
    return {};
}

Task<void> ChildServer::close_door() {
    const std::unique_ptr<http::Server> callbacks = std::move(callbacks_);
    if (callbacks) co_await callbacks->close(Duration::zero());
}

Result<void> ChildServer::write_pid_file(const ServerPlace& place) {
    PidRecord record;
    record.pid = pid_;
    if (const auto info = process_info(pid_)) record.start_time = info->start_time;
    record.realm = pid_realm();
    if (is_short_socket_folder(place.socket_folder)) record.socket_folder = place.socket_folder;
    pid_file_ = place.folder + "/pid";
    return runtime::write_pid_file(pid_file_, record);
}

Task<void> ChildServer::watch_exit() {
    asio::posix::stream_descriptor pidfd(control_);
    boost::system::error_code error;
    pidfd.assign(child_->pidfd(), error);
    if (!error) (void)co_await wait_readable(pidfd);
    if (pidfd.is_open()) (void)pidfd.release();
    if (error) child_->signal_group(SIGKILL);
    // Before reap(), while the process id, and so the session, cannot be anybody else's.
    const Instant deadline = steady_now() + kSessionKillTimeMax;
    while (kill_session(pid_) > 0 && steady_now() < deadline) co_await sleep_for(std::chrono::milliseconds(1));
    const MarkFilter of_this_life = [mark = marks_.of_instance()](Mark found) { return mark != 0 && found == mark; };
    (void)co_await end_marked(of_this_life, kSessionKillTimeMax);
    const ExitStatus status = child_->reap();
    drain_log();
    if (!pid_file_.empty()) ::unlink(pid_file_.c_str());
    if (!facts_->endpoint.unix_path.empty()) ::unlink(facts_->endpoint.unix_path.c_str());
    died(status.text() + (sandbox_ ? sandbox_words(spec_.sandbox, status, last_words()) : ""), status.ok() && !stop_asked_);
}

Task<void> ChildServer::read_log() {
    std::array<char, 4096> chunk;
    while (log_pipe_.is_open()) {
        const auto [error, count] = co_await log_pipe_.async_read_some(asio::buffer(chunk), use_tuple);
        if (error) co_return;
        keep_log({chunk.data(), count});
    }
}

// The last words of a dead server are in the pipe already; somebody who still holds it open is not waited for.
void ChildServer::drain_log() {
    std::array<char, 4096> chunk;
    for (std::size_t round = 0; log_pipe_.is_open() && round < 64; ++round) {
        const ssize_t count = ::read(log_pipe_.native_handle(), chunk.data(), chunk.size());
        if (count <= 0) break;
        keep_log({chunk.data(), static_cast<std::size_t>(count)});
    }
    boost::system::error_code ignored;
    log_pipe_.close(ignored);
}

ServerUsage ChildServer::usage() const { return has_exited() ? ServerUsage{} : session_usage(pid_); }

}  // namespace millrace::runtime
