// One byte stream to a peer, over a transport, which is cut when one of its deadlines passes.
//
// One executor (one thread) only. At most one read and one write at a time; the two may overlap.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "http/file_sender.h"
#include "http/message.h"
#include "http/transport.h"

namespace millrace::http {

enum class Side { read, write };

class Connection {
public:
    using Io = Transport::Io;
    using Parts = Transport::Parts;

    Connection(const Executor& executor, std::unique_ptr<Transport> transport);
    ~Connection();
    Connection(const Connection&) = delete;

    // As those of the transport. Each ends with an error when a deadline passes.
    Task<boost::system::error_code> connect(const sockaddr& address, socklen_t length);
    Task<boost::system::error_code> open(Transport::Role role);
    Task<Io> read_some(std::span<std::byte> buffer);
    Task<Io> write_some(Parts parts);
    Io try_write(Parts parts);
    // The transport, where it can do that; else null.
    FileSender* file_sender() const;

    // The connection is cut when a side's deadline passes; Instant::max() is none. Moving a deadline later is cheap.
    void set_deadline(Side side, Instant deadline);
    // Asked when the deadline of its read side has passed: a later one goes on. Null: none. Not called once the connection is closed.
    void set_due(std::function<Instant()> due);
    // With a limit, expect_progress() gives a side that long from now, and rest() takes its deadline away. Without: no-ops.
    void set_stall_limit(Duration limit) { stall_limit_ = limit; }
    void expect_progress(Side side);
    void rest(Side side);

    // As those of the transport.
    void cut();
    void close();
    Descriptor release();
    // For a peer that may still be sending: ends our side, then discards what comes until it ends its own, for 2 s.
    Task<void> close_gently();

    bool is_open() const;
    bool expired() const;
    // As those of the transport.
    bool has_hung_up() const;
    bool is_silent() const;
    std::string peer() const;
    std::string peer_node() const;
    bool is_secure() const;
    // The Error that a failed operation stands for: timed_out when the deadline cut it, cancelled with its task,
    // incomplete_body when the peer ended or reset it, else unavailable.
    Error error(std::string_view action, const boost::system::error_code& code) const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with its timer only
    Duration stall_limit_{};
};

// Connects to a server, over the transport of its scheme. Code::unavailable when nobody listens there or `connect_timeout` passes, timed_out
// at the deadline.
Task<Result<std::unique_ptr<Connection>>> connect_to(Endpoint endpoint, Duration connect_timeout, Instant deadline, OpenSocket open_socket = {});

}  // namespace millrace::http
