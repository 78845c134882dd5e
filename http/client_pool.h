// The idle connections of a client, kept for a while and used again, and the buffers that streamed bodies go through.
//
// One executor only.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "core/body.h"
#include "http/client.h"
#include "http/message_reader.h"
#include "http/message_writer.h"

namespace millrace::http {

// A connection to a server with what has been read ahead on it.
struct Channel {
    explicit Channel(std::unique_ptr<Connection> taken)
        : connection(std::move(taken)), reader(*connection, MessageReader::Kind::reply), writer(*connection) {}

    std::unique_ptr<Connection> connection;
    MessageReader reader;
    MessageWriter writer;
    Instant idle_since{};
    bool reused = false;
};

class ClientPool : public std::enable_shared_from_this<ClientPool> {
public:
    using Buffer = std::unique_ptr<std::byte[]>;  // kBodyChunkBytes

    ClientPool(const Executor& executor, ClientOptions options) : options_(options), timer_(executor) {}

    // The one used last that still seems alive, or null. To a server that closes what it keeps, one on which the request can be lost is
    // given only to those that can repeat it.
    std::unique_ptr<Channel> take(const Endpoint& endpoint, bool can_repeat);
    // A kept connection was closed when a request went by it.
    void found_closed(const Endpoint& endpoint) { closers_[endpoint] = steady_now(); }
    // Requires that no message is under way on it.
    void give_back(const Endpoint& endpoint, std::unique_ptr<Channel> channel);
    void forget(const Endpoint& endpoint) {
        idle_.erase(endpoint);
        closers_.erase(endpoint);
    }

    Buffer take_buffer();
    void give_back(Buffer buffer);

private:
    bool closes_what_it_keeps(const Endpoint& endpoint) const;
    bool expired(const Channel& channel) const { return steady_now() - channel.idle_since > options_.idle_time_max; }
    void sweep_later();
    void sweep();

    ClientOptions options_;
    boost::asio::steady_timer timer_;
    bool sweeping_ = false;
    std::map<Endpoint, std::deque<std::unique_ptr<Channel>>> idle_;  // oldest first
    std::map<Endpoint, Instant> closers_;  // when it was seen last
    std::vector<Buffer> spare_buffers_;
};

}  // namespace millrace::http
