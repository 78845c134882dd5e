// One request on one connection: the task that sends its body, and the Exchange that the caller reads the reply from.
//
// One executor only.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "http/client.h"
#include "http/client_pool.h"

namespace millrace::http {

class ClientExchange final : public Exchange {
public:
    ClientExchange(Executor executor, std::shared_ptr<ClientPool> pool, const Endpoint& server,
                   std::unique_ptr<Channel> channel);
    ~ClientExchange() override;

    // Sends the request and reads the reply's head. On an error nothing of the request is touched any more.
    Task<Result<void>> begin(const ClientRequest& request, Instant deadline);
    // After begin() failed: the kept-alive connection had been closed before it saw this request.
    bool was_stale() const { return stale_; }

    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;
    bool request_sent() const override;
    Task<void> close() override;

private:
    struct Sending;
    Result<void> write_head(const ClientRequest& request);
    void start_sending(const ClientRequest& request);
    Task<Result<void>> read_reply_head(bool to_head_request);
    Task<void> stop_sending();
    // The reply has been read to its end: puts the connection back or closes it. The first form only where there is nothing to
    // wait for; else false.
    bool settle_at_once();
    Task<void> settle();
    // The error to report for a failure of the connection.
    Error reason(Error error) const;

    Executor executor_;
    std::shared_ptr<ClientPool> pool_;
    Endpoint server_;
    std::shared_ptr<Sending> sending_;  // shared with the sending task
    std::optional<std::uint64_t> size_;
    std::optional<Error> failure_;
    bool keep_alive_ = false;
    bool trusts_end_ = false;
    bool stale_ = false;
    bool over_ = false;  // the sending task has ended, and the connection is closed or back in the pool
};

}  // namespace millrace::http
