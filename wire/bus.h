// The control plane's sockets: a ROUTER that a proxy binds, a DEALER with which a target connects. Each has a thread of its
// own that alone touches the socket (ZeroMQ's rule); messages come out on the owner's executor. Plain, or protected by CURVE: encrypted, and each
// end proves its key.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/task.h"
#include "wire/allowed_keys.h"
#include "wire/codec.h"
#include "wire/links.h"
#include "wire/node_key.h"

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

    // Before bind(): connections must prove a key that is allowed, and a message is dropped unless its key is that of the target which its route
    // names. Nothing is sent to a target whose key was taken off. Plain connections are refused.
    Result<void> protect(const NodeKey& own, std::shared_ptr<const AllowedKeys> allowed);
    // Binds "tcp://host:port"; port 0 means any. The endpoint that was bound. A busy port is Code::unavailable.
    Result<std::string> bind(const std::string& endpoint);
    Result<void> send(const std::string& route, const Message& message) override;
    bool is_private() const override;
    void stop() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Target side. Connects, and reconnects by itself for ever; but not once the proxy has refused it: then ZeroMQ gives up, and a new one is to be made.
class DealerBus final : public LinkToProxy {
public:
    DealerBus(Executor executor, Receive receive);
    ~DealerBus() override;  // calls stop()

    // Before connect(): the proxy must prove this public key. Without it the connection is plain.
    Result<void> protect(const NodeKey& own, const std::string& proxy_key);
    // Before connect(): is told on the executor why the proxy and this node do not come together, in words that say what to do; at most every ten
    // seconds.
    using Refused = std::function<void(std::string reason)>;
    void on_refused(Refused refused);
    Result<void> connect(const std::string& endpoint, const std::string& route);
    Result<void> send(const Message& message) override;
    bool is_private() const override;
    void stop() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::wire
