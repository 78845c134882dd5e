// One byte stream to a peer, over TCP or a Unix socket, which is cut when one of its deadlines passes.
//
// One executor (one thread) only. At most one read and one write at a time; the two may overlap.
#pragma once
#include <sys/socket.h>

#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <tuple>

#include "core/descriptor.h"
#include "core/result.h"
#include "core/task.h"
#include "http/message.h"

namespace millrace::http {

enum class Side { read, write };

// A TCP peer that has gone without a word, its machine or the way to it, is noticed after two minutes of silence. Set on a listening
// socket, all that it accepts have it.
void keep_alive(int socket);

class Connection {
public:
    using Io = std::tuple<boost::system::error_code, std::size_t>;
    // What one write gathers: at most kPartsMax spans.
    using Parts = std::span<const std::span<const std::byte>>;
    static constexpr std::size_t kPartsMax = 3;

    // Takes over a stream socket, connected or about to be.
    Connection(const Executor& executor, Descriptor socket);
    ~Connection();
    Connection(const Connection&) = delete;

    Task<boost::system::error_code> connect(const sockaddr& address, socklen_t length);
    // 0 bytes without an error code do not occur: the end is asio::error::eof.
    Task<Io> read_some(std::span<std::byte> buffer);
    Task<Io> write_some(Parts parts);
    // Writes what the socket takes at once; 0 when it takes nothing now.
    Io try_write(Parts parts);

    // The connection is cut when a side's deadline passes; Instant::max() is none. Moving a deadline later is cheap.
    void set_deadline(Side side, Instant deadline);
    // Asked when the deadline of its read side has passed: a later one goes on. Null: none. Not called once the connection is closed.
    void set_due(std::function<Instant()> due);
    // With a limit, expect_progress() gives a side that long from now, and rest() takes its deadline away. Without: no-ops.
    void set_stall_limit(Duration limit) { stall_limit_ = limit; }
    void expect_progress(Side side);
    void rest(Side side);

    // Ends it so that the peer sees a reset (over TCP) and never a clean end. Waiting reads and writes fail.
    void cut();
    void close();
    // The socket, for another owner; this connection is closed from here on. Requires that no read or write is under way.
    Descriptor release();
    // For a peer that may still be sending: ends our side, then discards what comes until it ends its own, for 2 s.
    Task<void> close_gently();

    bool is_open() const;
    bool expired() const;
    // The peer has closed the connection, or ended its side of it; whatever it sent before may still be read.
    bool has_hung_up() const;
    // No end and no stray bytes have arrived on a connection that should be silent.
    bool is_silent() const;
    // "127.0.0.1:54321", or "unix".
    std::string peer() const;
    // The Error that a failed operation stands for: timed_out when the deadline cut it, cancelled with its task,
    // incomplete_body when the peer ended or reset it, else unavailable.
    Error error(std::string_view action, const boost::system::error_code& code) const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with its timer only
    Duration stall_limit_{};
};

// Connects to a server. Code::unavailable when nobody listens there or `connect_timeout` passes, timed_out at the deadline.
Task<Result<std::unique_ptr<Connection>>> connect_to(Endpoint endpoint, Duration connect_timeout, Instant deadline, OpenSocket open_socket = {});

}  // namespace millrace::http
