// One connection of the server: reads requests one after the other, has them answered, and decides when it ends.
//
// One lane only.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "http/server_exchange.h"

namespace millrace::http {

class ServerConnection {
public:
    // The handler, the options and the flag outlive it.
    ServerConnection(const Executor& lane, std::unique_ptr<Transport> transport, const Handler& handler, const ServerOptions& options,
                     const bool& stopping);

    // Returns when the connection has ended, whatever the handler or the client did. Throws nothing.
    Task<void> serve();
    // Instead of serve(): answers 503 and ends.
    Task<void> turn_away();

    // The client has hung up, and nobody else wants what is being done; or it was over when this was asked before, and still is. To be asked
    // about once a second.
    bool is_abandoned();
    // Ends it if it waits for a request of which nothing has arrived.
    void close_if_idle();
    void cut() { connection_.cut(); }

private:
    // What both ends agree on before the first request; its head must be here in the same time. False when that came to nothing.
    Task<bool> open();
    Task<void> answer_requests();
    Task<void> answer(IncomingRequest& request, OutgoingResponse& response);
    // After the handler: whether another request may follow.
    Task<bool> settle(IncomingRequest& request, OutgoingResponse& response);
    // For what is no request that a handler could be given.
    Task<void> refuse(const Error& error, int status);

    Connection connection_;
    MessageReader reader_;
    MessageWriter writer_;
    const Handler& handler_;
    const ServerOptions& options_;
    const bool& stopping_;
    const std::string peer_;
    std::string peer_node_;
    bool waits_for_request_ = false;
    std::function<bool()> is_over_;  // of the request that is being answered; null: others may want what is done
    bool was_over_ = false;          // when last asked
};

}  // namespace millrace::http
