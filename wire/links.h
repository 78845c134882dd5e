// The two ends of the control plane, as those that speak over it see them. Interfaces: the sockets (wire/bus.h), or a simulated network.
//
// Delivery is at most once: a queue that is full, or a peer that is gone, loses messages. The protocol repeats what matters.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "wire/codec.h"

namespace millrace::wire {

// What a target announces itself as: target and process, so that two processes of one id do not take each other's connection over, and each
// gets what is meant for it. (A Millrace from before announces its id alone.)
std::string route_of(const std::string& target_id, const std::string& boot_id);
std::string target_of(const std::string& route);

// The proxy's end. Any thread.
class LinkToTargets {
public:
    using Receive = std::function<void(const std::string& route, Message message)>;
    virtual ~LinkToTargets() = default;
    // Code::overloaded when the queue is full; a target that is not connected loses the message silently.
    virtual Result<void> send(const std::string& route, const Message& message) = 0;
    // Nobody else reads what is sent, and a message is only taken from the target whose key it came with.
    virtual bool is_private() const { return false; }
    // Nothing is received any more on return.
    virtual void stop() = 0;
};

// A target's end. Any thread.
class LinkToProxy {
public:
    using Receive = std::function<void(Message message)>;
    virtual ~LinkToProxy() = default;
    virtual Result<void> send(const Message& message) = 0;
    // Nobody else reads what is sent, and what is received is the proxy's.
    virtual bool is_private() const { return false; }
    virtual void stop() = 0;
};

// Connects a target, which announces itself by its route, with the proxy at an address.
using ConnectToProxy = std::function<Result<std::unique_ptr<LinkToProxy>>(const std::string& address, const std::string& route, LinkToProxy::Receive receive)>;

}  // namespace millrace::wire
