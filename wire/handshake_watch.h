// Why the connection of a DEALER does not come to be, in words: what ZeroMQ tells of its handshakes. On the thread of that socket, but for the constructor.
#pragma once
#include <memory>
#include <optional>
#include <string>

// Of cppzmq, which only sources include.
namespace zmq {
class context_t;
class socket_t;
}  // namespace zmq

namespace millrace::wire {

class HandshakeWatch {
public:
    // Before the socket is connected. is_private: it demands a key of the proxy. Throws zmq::error_t.
    HandshakeWatch(zmq::context_t& context, zmq::socket_t& watched, bool is_private);
    ~HandshakeWatch();

    zmq::socket_t& socket() { return *events_; }
    // What is wrong, of the newest handshake that waits to be looked at; nullopt: nothing.
    std::optional<std::string> look();

private:
    const std::unique_ptr<zmq::socket_t> events_;
    const bool is_private_;
};

}  // namespace millrace::wire
