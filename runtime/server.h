// One life of a transform's server process: spawned, ready, serving, dead.
//
// Lives on the control executor; its ServerFacts are for every thread.
#pragma once
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <mutex>
#include <optional>

#include "http/client.h"
#include "runtime/broadcast.h"
#include "runtime/instance.h"
#include "runtime/spawn.h"
#include "runtime/tail.h"

namespace millrace::runtime {

// What runs need to know of the process that serves them. Any thread.
class ServerFacts {
public:
    explicit ServerFacts(http::Endpoint at) : endpoint(std::move(at)) {}

    const http::Endpoint endpoint;
    std::atomic<std::uint64_t> served{0};  // objects with a good result

    void set_death(std::string how);
    // "killed by SIGSEGV" once it is dead.
    std::optional<std::string> death() const;
    // Waits a moment for the news: a broken connection is seen before the end of the process that broke it.
    Task<std::optional<std::string>> wait_death(Duration wait_max);

private:
    mutable std::mutex mutex_;
    std::optional<std::string> death_;  // guarded by mutex_
    Broadcast changes_;
};

// What the server wrote to stdout and stderr, over all its lives. Any thread.
class ServerLog {
public:
    ServerLog() : tail_(64 * 1024) {}
    void append(std::string_view bytes) {
        const std::lock_guard lock(mutex_);
        tail_.append(bytes);
    }
    std::string text() const {
        const std::lock_guard lock(mutex_);
        return tail_.text();
    }

private:
    mutable std::mutex mutex_;
    Tail tail_;  // guarded by mutex_
};

struct ServerPlace {
    std::string folder;         // for the pid file and the working folder
    std::string socket_folder;  // short
    std::string socket_name;    // differs from life to life, so that no connection of an earlier one is taken for it
};

class Server {
public:
    Server(const TransformSpec& spec, Executor control, std::shared_ptr<ServerLog> log);

    // Spawns the process and waits until it answers GET /health with 200..399: Code::timed_out after init_timeout, else
    // with how it died. After a failure call stop().
    Task<Result<void>> start(ServerPlace place, http::Client& client);
    // SIGTERM, after two seconds SIGKILL; returns when every process of its session is gone. Ends start() and wait_exit()
    // early. Required before destruction, and harmless when repeated.
    Task<void> stop();
    Task<void> wait_exit();

    bool has_exited() const { return exited_.is_set(); }
    const std::shared_ptr<ServerFacts>& facts() const { return facts_; }  // null before it was spawned
    int pid() const { return pid_; }

private:
    Result<void> spawn_process(const ServerPlace& place);
    Result<http::Endpoint> choose_endpoint(const ServerPlace& place) const;
    Result<void> write_pid_file(const ServerPlace& place);
    Task<Result<void>> wait_ready(http::Client& client);
    Task<Result<void>> probe(http::Client& client, Instant deadline);
    Task<void> watch_exit();
    Task<void> read_log();
    void drain_log();
    void keep_log(std::string_view bytes);
    Error not_ready(const Error& last) const;

    const TransformSpec& spec_;
    Executor control_;
    std::shared_ptr<ServerLog> log_;
    std::shared_ptr<ServerFacts> facts_;
    std::optional<Child> child_;
    boost::asio::posix::stream_descriptor log_pipe_;
    Tail last_words_;  // of this life, for the reason of its end
    std::string pid_file_;
    int pid_ = 0;
    bool stop_asked_ = false;
    Event exited_;
    Event changed_;    // exited, or asked to stop
    TaskGroup tasks_;
};

}  // namespace millrace::runtime
