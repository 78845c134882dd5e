#include "wire/handshake_watch.h"

#include <cstring>
#include <zmq.hpp>

namespace millrace::wire {
namespace {

constexpr char kPlace[] = "inproc://handshakes";

// Which end notices a difference first is a matter of chance, and the other sees no more than the end of the connection: so the words go by what this
// end knows of itself.
std::string words_of(std::uint16_t event, bool is_private) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        return "the proxy does not allow this node's key; run 'millrace cluster invite' on the proxy's side, and start this node with the line that it prints";
    }
    if (!is_private) {
        return "the proxy takes no plain connection on its control port (secure_control: true); let this node join it: millrace cluster invite";
    }
    return "the proxy's control port does not prove the key that this node knows of it (proxy_key); set 'secure_control: true' at the proxy, point the node "
           "at its own proxy, or, if that got a new key, let it join again: millrace cluster invite";
}

}  // namespace

HandshakeWatch::HandshakeWatch(zmq::context_t& context, zmq::socket_t& watched, bool is_private)
    : events_(std::make_unique<zmq::socket_t>(context, zmq::socket_type::pair)), is_private_(is_private) {
    const int wanted = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    if (::zmq_socket_monitor(watched.handle(), kPlace, wanted) != 0) throw zmq::error_t();
    events_->set(zmq::sockopt::linger, 0);
    events_->connect(kPlace);
}

HandshakeWatch::~HandshakeWatch() = default;

std::optional<std::string> HandshakeWatch::look() {
    std::optional<std::string> wrong;
    zmq::message_t frame;
    zmq::message_t address;
    while (events_->recv(frame, zmq::recv_flags::dontwait)) {
        if (frame.more()) (void)events_->recv(address, zmq::recv_flags::dontwait);
        std::uint16_t event = 0;  // the layout is zmq_socket_monitor(3)'s
        if (frame.size() < sizeof event) continue;
        std::memcpy(&event, frame.data(), sizeof event);
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            wrong.reset();
        } else {
            wrong = words_of(event, is_private_);
        }
    }
    return wrong;
}

}  // namespace millrace::wire
