// What carries the bytes of one connection. Connection stands above it and knows deadlines, stalls and errors, which are the same for
// every transport; a transport knows none of them. http/plain_transport.h is the one without encryption.
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
#include "core/task.h"

namespace millrace::http {

class Transport {
public:
    enum class Role { client, server };
    using Io = std::tuple<boost::system::error_code, std::size_t>;
    // What one write gathers: at most kPartsMax spans.
    using Parts = std::span<const std::span<const std::byte>>;
    static constexpr std::size_t kPartsMax = 3;

    virtual ~Transport() = default;

    // Errors of all that waits: operation_aborted when it was closed meanwhile, or the task was cancelled.

    // A client's: connects the socket below, which is not connected yet.
    virtual Task<boost::system::error_code> connect(const sockaddr& address, socklen_t length) = 0;
    // What both ends agree on before the first byte. Once, when the socket is connected and before all that follows.
    virtual Task<boost::system::error_code> open(Role role) = 0;

    // 0 bytes without an error code do not occur. asio::error::eof is the peer's own, clean end and nothing else: a message may end there.
    virtual Task<Io> read_some(std::span<std::byte> buffer) = 0;
    // A write that took fewer bytes than it was given is followed by one that begins with the rest, or by the end of the connection.
    virtual Task<Io> write_some(Parts parts) = 0;
    // Writes what can go out at once; 0 when nothing can now.
    virtual Io try_write(Parts parts) = 0;
    // The peer reads a clean end behind what was written; it can still be read from. No write after it.
    virtual Task<void> end_sending() = 0;

    // Ends it so that the peer sees a reset where there is one (TCP), and never a clean end. Waiting operations fail.
    virtual void cut() = 0;
    // The same without a reset: for a connection on which no message is under way.
    virtual void close() = 0;
    // The socket, for an owner that speaks something else over it; the transport is closed from here on. Closed where more than the socket
    // is needed to go on. Requires that no operation is under way.
    virtual Descriptor release() = 0;

    virtual bool is_open() const = 0;
    // The peer has closed the connection, or ended its side of it; whatever it sent before may still be read.
    virtual bool has_hung_up() const = 0;
    // Nothing that a reader would see has arrived: no bytes and no end. Requires that no read is under way.
    virtual bool is_silent() = 0;
    // "127.0.0.1:54321", or "unix".
    virtual std::string peer() const = 0;
    // Nobody in between can read or change what passes.
    virtual bool is_secure() const { return false; }
    // The node of a cluster that the peer has shown a certificate of, by an authority that is believed; empty: none.
    virtual std::string peer_node() const { return ""; }
};

// Makes the transport of a stream socket, connected or about to be; called on the executor. A socket that cannot be used gives a closed one.
using MakeTransport = std::function<std::unique_ptr<Transport>(const Executor& executor, Descriptor socket)>;

}  // namespace millrace::http
