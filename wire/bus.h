// The control plane's sockets: a ROUTER that a proxy binds, a DEALER with which a target connects. Each has a thread of its
// own that alone touches the socket (ZeroMQ's rule); messages come out on the owner's executor.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/task.h"
#include "wire/codec.h"
#include "wire/links.h"

namespace millrace::wire {

inline constexpr std::size_t kQueuedMessagesMax = 100'000;
// Received, and not taken by the owner's loop: beyond, the socket is not read until it has taken some.
inline constexpr std::size_t kUntakenMessagesMax = 10'000;
inline constexpr std::size_t kUntakenBytesMax = 64ull << 20;

// Proxy side. A route is what the target's socket announces as its routing id.
class RouterBus final : public LinkToTargets {
public:
    // receive is called on the executor. Undecodable messages are counted, logged at a bounded rate and dropped.
    RouterBus(Executor executor, Receive receive);
    ~RouterBus() override;  // calls stop()

    // Binds "tcp://host:port"; port 0 means any. The endpoint that was bound. A busy port is Code::unavailable.
    Result<std::string> bind(const std::string& endpoint);
    Result<void> send(const std::string& route, const Message& message) override;
    void stop() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Target side. Connects, and reconnects by itself for ever.
class DealerBus final : public LinkToProxy {
public:
    DealerBus(Executor executor, Receive receive);
    ~DealerBus() override;  // calls stop()

    Result<void> connect(const std::string& endpoint, const std::string& route);
    Result<void> send(const Message& message) override;
    void stop() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::wire
