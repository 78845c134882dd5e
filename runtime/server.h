// One life of a transform's server: started, ready, serving, dead. What it runs in, a child process or a container, is the
// affair of its subclass.
//
// Lives on the control executor; its ServerFacts are for every thread.
#pragma once
#include <memory>
#include <mutex>
#include <optional>

#include "http/client.h"
#include "runtime/instance.h"
#include "runtime/server_facts.h"
#include "runtime/tail.h"

namespace millrace::runtime {

class Sandbox;

// What a server wrote to stdout and stderr, over all its lives. Any thread.
class ServerLog {
public:
    ServerLog() : tail_(64 * 1024) {}
    void append(std::string_view bytes) {
        const std::lock_guard lock(mutex_);
        tail_.append(bytes);
        bytes_ += bytes.size();
    }
    std::string text() const {
        const std::lock_guard lock(mutex_);
        return tail_.text();
    }
    // How much was ever written.
    std::uint64_t bytes() const {
        const std::lock_guard lock(mutex_);
        return bytes_;
    }

private:
    mutable std::mutex mutex_;
    Tail tail_;                // guarded by mutex_
    std::uint64_t bytes_ = 0;  // guarded by mutex_
};

struct ServerPlace {
    std::string folder;         // for the pid file and the working folder
    std::string socket_folder;  // short
    std::string socket_name;    // differs from life to life, so that no connection of an earlier one is taken for it
};

class Server {
public:
    virtual ~Server() = default;

    // Starts it and waits until it is ready: Code::timed_out after init_timeout, else with how it died. After a failure call
    // stop().
    Task<Result<void>> start(ServerPlace place);
    // Returns when nothing of it runs and its port is free. Ends start() and wait_exit() early. Required before destruction,
    // and harmless when repeated.
    virtual Task<void> stop() = 0;
    Task<void> wait_exit();

    bool has_exited() const { return exited_.is_set(); }
    const std::shared_ptr<ServerFacts>& facts() const { return facts_; }  // null before it was launched
    int pid() const { return pid_; }
    // What keeps its processes in, once it was launched; null: nothing, or a container.
    virtual std::shared_ptr<const Sandbox> sandbox() const { return nullptr; }
    // Processor time and memory of all of its processes now.
    virtual ServerUsage usage() const = 0;

protected:
    Server(const TransformSpec& spec, Executor control, std::shared_ptr<ServerLog> log);

    // Starts what is to serve, sets facts_ and pid_, and sees to it that died() is called at its end.
    virtual Task<Result<void>> launch(const ServerPlace& place) = 0;
    void keep_log(std::string_view bytes);
    // how: "killed by SIGSEGV"; the last words of its log are added. in_order: with success, and nobody had asked it to.
    void died(std::string how, bool in_order);
    std::string with_last_words(std::string how) const;
    std::string last_words() const { return last_words_.text(); }
    void ask_to_stop();

    const TransformSpec& spec_;
    Executor control_;
    std::shared_ptr<ServerFacts> facts_;
    int pid_ = 0;
    bool stop_asked_ = false;
    Event exited_;
    Event changed_;    // exited, or asked to stop
    TaskGroup tasks_;

private:
    Task<Result<void>> wait_ready();
    Error not_ready(const Error& last) const;

    std::shared_ptr<ServerLog> log_;
    Tail last_words_;  // of this life, for the reason of its end
};

}  // namespace millrace::runtime
