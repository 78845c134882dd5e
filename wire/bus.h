// The control plane's sockets: a ROUTER that a proxy binds, a DEALER with which a target connects. Each has a thread of its
// own that alone touches the socket (ZeroMQ's rule); messages come out on the owner's executor.
//
// Delivery is at most once: a queue that is full, or a peer that is gone, loses messages. The protocol repeats what matters.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/task.h"
#include "wire/codec.h"

namespace millrace::wire {

inline constexpr std::size_t kQueuedMessagesMax = 100'000;
// Received, and not taken by the owner's loop: beyond, the socket is not read until it has taken some.
inline constexpr std::size_t kUntakenMessagesMax = 10'000;
inline constexpr std::size_t kUntakenBytesMax = 64ull << 20;

// What a target's socket announces as its routing id: target and process, so that two processes of one id do not take each other's
// connection over, and each gets what is meant for it. (A Millrace from before announces its id alone.)
std::string route_of(const std::string& target_id, const std::string& boot_id);
std::string target_of(const std::string& route);

// Proxy side. `peer` is a route.
class RouterBus {
public:
    using Receive = std::function<void(const std::string& peer, Message message)>;

    // receive is called on the executor. Undecodable messages are counted, logged at a bounded rate and dropped.
    RouterBus(Executor executor, Receive receive);
    ~RouterBus();  // calls stop()

    // Binds "tcp://host:port"; port 0 means any. The endpoint that was bound. A busy port is Code::unavailable.
    Result<std::string> bind(const std::string& endpoint);
    // Any thread. Code::overloaded when the queue is full; a peer that is not connected loses the message silently.
    Result<void> send(const std::string& peer, const Message& message);
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Target side. Connects, and reconnects by itself for ever.
class DealerBus {
public:
    using Receive = std::function<void(Message message)>;

    DealerBus(Executor executor, Receive receive);
    ~DealerBus();  // calls stop()

    Result<void> connect(const std::string& endpoint, const std::string& route);
    Result<void> send(const Message& message);
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::wire
