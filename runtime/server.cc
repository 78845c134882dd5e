#include "runtime/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "core/log.h"
#include "core/units.h"
#include "runtime/child_environment.h"
#include "runtime/pid_file.h"
#include "runtime/process_table.h"
#include "runtime/socket_folder.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr Duration kProbePauseMin = std::chrono::milliseconds(20);
constexpr Duration kProbePauseMax = std::chrono::milliseconds(250);
constexpr Duration kProbeTimeMax = std::chrono::seconds(5);
constexpr Duration kTermGrace = std::chrono::seconds(2);
constexpr Duration kSessionKillTimeMax = std::chrono::seconds(2);
constexpr std::size_t kProbeBytesMax = 64 * 1024;

// A loopback port that was free just now. Should somebody take it first, the server dies and the next life gets another.
Result<std::uint16_t> free_port() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
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

void ServerFacts::set_death(std::string how) {
    {
        const std::lock_guard lock(mutex_);
        death_ = std::move(how);
    }
    changes_.notify();
}

std::optional<std::string> ServerFacts::death() const {
    const std::lock_guard lock(mutex_);
    return death_;
}

Task<std::optional<std::string>> ServerFacts::wait_death(Duration wait_max) {
    const std::uint64_t seen = changes_.version();
    if (!death()) co_await changes_.wait(seen, steady_now() + wait_max);
    co_return death();
}

Server::Server(const TransformSpec& spec, Executor control, std::shared_ptr<ServerLog> log)
    : spec_(spec), control_(control), log_(std::move(log)), log_pipe_(control), last_words_(4096), exited_(control), changed_(control),
      tasks_(control) {}

Task<Result<void>> Server::start(ServerPlace place, http::Client& client) {
    MILLRACE_CO_TRY(spawn_process(place));
    tasks_.spawn(watch_exit());
    tasks_.spawn(read_log());
    MILLRACE_CO_TRY(write_pid_file(place));
    co_return co_await wait_ready(client);
}

Task<void> Server::stop() {
    stop_asked_ = true;
    changed_.set();
    if (child_ && !has_exited()) {
        child_->signal_group(SIGTERM);
        (void)co_await exited_.wait_until(steady_now() + kTermGrace);
        while (!has_exited()) {
            child_->signal_group(SIGKILL);
            (void)co_await exited_.wait_until(steady_now() + std::chrono::seconds(1));
        }
    }
    co_await tasks_.join();
}

Task<void> Server::wait_exit() {
    while (!changed_.is_set()) (void)co_await changed_.wait_until(steady_now() + std::chrono::hours(1));
}

Result<http::Endpoint> Server::choose_endpoint(const ServerPlace& place) const {
    http::Endpoint endpoint;
    if (spec_.listen == Listen::unix_socket) {
        endpoint.unix_path = place.socket_folder + '/' + place.socket_name;
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

Result<void> Server::spawn_process(const ServerPlace& place) {
    MILLRACE_TRY_ASSIGN(const http::Endpoint endpoint, choose_endpoint(place));
    MILLRACE_TRY_ASSIGN(const std::string folder, make_work_folder(spec_, place.folder));
    SpawnRequest request;
    MILLRACE_TRY_ASSIGN(request.file, find_program(spec_.argv.at(0), child_path(spec_), folder));
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
    request.env = child_environment(spec_, folder, extra);
    request.folder = folder;
    request.limits = spec_.limits;
    request.own_session = true;
    MILLRACE_TRY_ASSIGN(Pipe log, make_pipe(PipeEnd::read));
    boost::system::error_code error;
    log_pipe_.assign(log.read.get(), error);
    if (error) return fail(Code::unavailable, "cannot watch a pipe: " + error.message());
    log.read.release();
    request.stdout_fd = request.stderr_fd = log.write.get();
    MILLRACE_TRY_ASSIGN(Child child, spawn(request));
    child_.emplace(std::move(child));
    pid_ = child_->pid();
    facts_ = std::make_shared<ServerFacts>(endpoint);
    return {};
}

Result<void> Server::write_pid_file(const ServerPlace& place) {
    PidRecord record;
    record.pid = pid_;
    if (const auto info = process_info(pid_)) record.start_time = info->start_time;
    record.realm = pid_realm();
    if (is_short_socket_folder(place.socket_folder)) record.socket_folder = place.socket_folder;
    pid_file_ = place.folder + "/pid";
    return runtime::write_pid_file(pid_file_, record);
}

Task<Result<void>> Server::wait_ready(http::Client& client) {
    const Instant deadline = steady_now() + spec_.init_timeout_ms;
    for (Duration pause = kProbePauseMin;; pause = std::min(2 * pause, kProbePauseMax)) {
        const Result<void> probed = co_await probe(client, std::min(deadline, steady_now() + kProbeTimeMax));
        if (!probed.has_value()) (void)co_await changed_.wait_until(std::min(deadline, steady_now() + pause));
        if (has_exited()) co_return fail(Code::unavailable, "it ended before it was ready: " + *facts_->death());
        if (stop_asked_) co_return fail(Code::cancelled, "stopped");
        if (probed.has_value()) co_return Result<void>{};
        if (steady_now() >= deadline) co_return not_ready(probed.error());
    }
}

Error Server::not_ready(const Error& last) const {
    std::string text = "not ready within " + duration_text(spec_.init_timeout_ms) + " (GET /health on " + facts_->endpoint.text() + ": " +
                       last.context + ")";
    const std::string words = last_words_.last_line();
    if (!words.empty()) text += "; its last output: " + words;
    return {Code::timed_out, std::move(text)};
}

Task<Result<void>> Server::probe(http::Client& client, Instant deadline) {
    http::ClientRequest request;
    request.target = "/health";
    request.deadline = deadline;
    request.connect_timeout = std::chrono::seconds(1);
    const auto reply = co_await http::fetch(client, facts_->endpoint, request, kProbeBytesMax);
    if (!reply.has_value()) co_return reply.error();
    if (reply->status >= 200 && reply->status < 400) co_return Result<void>{};
    co_return fail(Code::unavailable, "status " + std::to_string(reply->status));
}

Task<void> Server::watch_exit() {
    asio::posix::stream_descriptor pidfd(control_);
    boost::system::error_code error;
    pidfd.assign(child_->pidfd(), error);
    if (!error) (void)co_await pidfd.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
    if (pidfd.is_open()) (void)pidfd.release();
    if (error) child_->signal_group(SIGKILL);
    // Before reap(), while the process id, and so the session, cannot be anybody else's.
    const Instant deadline = steady_now() + kSessionKillTimeMax;
    while (kill_session(pid_) > 0 && steady_now() < deadline) co_await sleep_for(std::chrono::milliseconds(1));
    const ExitStatus status = child_->reap();
    drain_log();
    if (!pid_file_.empty()) ::unlink(pid_file_.c_str());
    if (!facts_->endpoint.unix_path.empty()) ::unlink(facts_->endpoint.unix_path.c_str());
    const std::string words = last_words_.last_line();
    facts_->set_death(words.empty() ? status.text() : status.text() + ": " + words);
    exited_.set();
    changed_.set();
}

Task<void> Server::read_log() {
    std::array<char, 4096> chunk;
    while (log_pipe_.is_open()) {
        const auto [error, count] = co_await log_pipe_.async_read_some(asio::buffer(chunk), use_tuple);
        if (error) co_return;
        keep_log({chunk.data(), count});
    }
}

// The last words of a dead server are in the pipe already; somebody who still holds it open is not waited for.
void Server::drain_log() {
    std::array<char, 4096> chunk;
    for (std::size_t round = 0; log_pipe_.is_open() && round < 64; ++round) {
        const ssize_t count = ::read(log_pipe_.native_handle(), chunk.data(), chunk.size());
        if (count <= 0) break;
        keep_log({chunk.data(), static_cast<std::size_t>(count)});
    }
    boost::system::error_code ignored;
    log_pipe_.close(ignored);
}

void Server::keep_log(std::string_view bytes) {
    last_words_.append(bytes);
    log_->append(bytes);
}

}  // namespace millrace::runtime
