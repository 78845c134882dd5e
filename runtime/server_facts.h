// What runs need to know of the server that serves them: where it listens, and whether and how it died. Any thread.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/task.h"
#include "http/client.h"
#include "runtime/broadcast.h"
#include "runtime/server_processes.h"

namespace millrace::runtime {

// How long the news of a death may take, where nothing tells that it is about to come.
inline constexpr Duration kDeathNewsMax = milliseconds(250);

class ServerFacts {
public:
    explicit ServerFacts(http::Endpoint at, http::OpenSocket opener = {}) : endpoint(std::move(at)), open_socket(std::move(opener)) {}

    const http::Endpoint endpoint;
    const http::OpenSocket open_socket;    // makes sockets where the endpoint can be reached; null: ordinary ones
    std::string target_url;                // of this target as the server sees it, with its secret: AIS_TARGET_URL. Set before it serves
    std::atomic<std::uint64_t> served{0};  // objects with a good result
    ServerProcesses processes;             // its own is set before it serves

    // It has ended; how, is yet to be learned.
    void set_dying();
    // in_order: by itself, and with success.
    void set_death(std::string how, bool in_order = false);
    bool has_ended() const;
    // "killed by SIGSEGV" once it is dead.
    std::optional<std::string> death() const;
    // Waits a moment for the news: a broken connection is seen before the end of the process that broke it. Once it is known to
    // have ended, waits for how, some seconds at most.
    Task<std::optional<std::string>> wait_death(Duration wait_max);

    // For an answer that ended with its connection and had not said how long it is: why it may not be whole, as what may have been
    // sending it has broken off, of which processes.broken_off() was `before` when it was asked for. nullopt: all of it lives on, or
    // ended in order.
    Task<std::optional<std::string>> why_not_whole(std::uint64_t before);

private:
    mutable std::mutex mutex_;
    bool dying_ = false;                // guarded by mutex_
    std::optional<std::string> death_;  // guarded by mutex_
    bool ended_in_order_ = false;       // guarded by mutex_
    Broadcast changes_;
};

}  // namespace millrace::runtime
