#include "wire/key_check.h"

#include <vector>
#include <zmq.hpp>

#include "wire/node_key.h"

namespace millrace::wire {
namespace {

constexpr int kAnswersMax = 100;  // before the messages of those who are in have their turn

std::vector<std::string> receive_frames(zmq::socket_t& socket) {
    std::vector<std::string> frames;
    zmq::message_t frame;
    do {
        if (!socket.recv(frame, zmq::recv_flags::dontwait)) return {};
        frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
}

// Of the 32 bytes in which a connection shows its key; empty: it shows none.
std::string shown_key(const std::vector<std::string>& request) {
    constexpr std::size_t kBytes = 32;
    if (request.size() != 7 || request[5] != "CURVE" || request[6].size() != kBytes) return "";
    char text[kNodeKeyChars + 1] = {};
    ::zmq_z85_encode(text, reinterpret_cast<const std::uint8_t*>(request[6].data()), kBytes);
    return text;
}

}  // namespace

KeyCheck::KeyCheck(zmq::context_t& context, std::shared_ptr<const AllowedKeys> allowed, Refused refused)
    : socket_(std::make_unique<zmq::socket_t>(context, zmq::socket_type::rep)), allowed_(std::move(allowed)), refused_(std::move(refused)) {
    socket_->set(zmq::sockopt::linger, 0);
    socket_->bind("inproc://zeromq.zap.01");
}

KeyCheck::~KeyCheck() = default;

void KeyCheck::answer() {
    for (int count = 0; count < kAnswersMax; ++count) {
        const std::vector<std::string> request = receive_frames(*socket_);
        if (request.empty()) return;
        const std::string key = shown_key(request);
        const bool is_allowed = !key.empty() && allowed_->contains(key);
        if (!is_allowed) refused_(key, request.size() > 3 ? request[3] : "");
        // Version, request, status, its words, user (the key that its messages will carry), metadata.
        const std::string reply[] = {"1.0", request.size() > 1 ? request[1] : "", is_allowed ? "200" : "400", is_allowed ? "OK" : "this key is not allowed",
                                     is_allowed ? key : "", ""};
        for (std::size_t i = 0; i < std::size(reply); ++i) {
            const bool is_last = i + 1 == std::size(reply);
            (void)socket_->send(zmq::buffer(reply[i]), is_last ? zmq::send_flags::none : zmq::send_flags::sndmore);
        }
    }
}

}  // namespace millrace::wire
