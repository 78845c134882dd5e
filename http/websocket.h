// A WebSocket (RFC 6455) to a server, over TCP or a Unix socket: messages in pieces, so that large ones need little memory.
//
// One executor (one thread) only. At most one read and one write at a time; the two may overlap. Pings are answered while a
// read is under way.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/result.h"
#include "core/task.h"
#include "http/message.h"

namespace millrace::http {

class WebSocket {
public:
    struct Piece {
        std::size_t bytes = 0;
        bool is_text = false;  // of its message, as in every piece of it
        bool is_last = false;
    };

    // Connects and asks for a WebSocket at `path`. Code::unavailable: nobody listens, or it closed; rejected and transient: it
    // answered with a status of 4xx or another one, or with what is no HTTP; timed_out: not in time.
    static Task<Result<std::unique_ptr<WebSocket>>> connect(Endpoint endpoint, std::string path, Instant deadline,
                                                            OpenSocket open_socket = {});
    ~WebSocket();

    // Errors of all below: unavailable when the connection was closed, by whomever; transient when the peer breaks the protocol;
    // timed_out at the deadline; cancelled with the task, after which the connection is of no use.

    // The peer's farewell (RFC 6455, section 7.4), once a read has failed: its code, and "closed with code 1009 (message too big): its
    // words". nullopt: it said none, or no code in it.
    struct Farewell {
        int code = 0;
        std::string text;
    };
    std::optional<Farewell> farewell() const;

    // Sends a piece of a binary message. A message may be one piece, and a piece may be empty.
    Task<Result<void>> write(std::span<const std::byte> piece, bool is_last);
    // Waits for more of the message that is arriving, or for the next one.
    Task<Result<Piece>> read(std::span<std::byte> buffer);

    // The connection is cut when it passes; Instant::max(): never.
    void set_deadline(Instant deadline);
    void cut();
    // Says farewell, which ends a read that is under way, and cuts at the deadline if there is no answer.
    Task<void> close(Instant deadline);

private:
    struct Impl;
    explicit WebSocket(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with its timer only
};

}  // namespace millrace::http
