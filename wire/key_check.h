// Asks for every connection whether its key is allowed: the handler of ZeroMQ's authentication protocol (https://rfc.zeromq.org/spec/27/), in the
// context of one socket. On the thread of that socket, but for the constructor.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "wire/allowed_keys.h"

// Of cppzmq, which only sources include.
namespace zmq {
class context_t;
class socket_t;
}  // namespace zmq

namespace millrace::wire {

class KeyCheck {
public:
    // refused(key, address): of who was not let in; key is empty where none was shown.
    using Refused = std::function<void(const std::string& key, const std::string& address)>;
    // Before the socket that it protects is bound. Throws zmq::error_t.
    KeyCheck(zmq::context_t& context, std::shared_ptr<const AllowedKeys> allowed, Refused refused);
    ~KeyCheck();

    zmq::socket_t& socket() { return *socket_; }
    // Answers what waits, a bounded number.
    void answer();

private:
    const std::unique_ptr<zmq::socket_t> socket_;
    const std::shared_ptr<const AllowedKeys> allowed_;
    const Refused refused_;
};

}  // namespace millrace::wire
