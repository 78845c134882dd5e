// One request being answered: the Request and the Response that a handler sees, on one connection.
//
// Lives on its connection's lane, for as long as the handler runs.
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "http/message_reader.h"
#include "http/message_writer.h"
#include "http/server.h"

namespace millrace::http {

// Where an answer asks for another try: what makes it necessary is over soon.
inline constexpr std::string_view kRetryAfterSeconds = "1";

class IncomingRequest final : public Request {
public:
    // The head's parts are moved in by take_head().
    // is_over: set by end_with_client().
    IncomingRequest(Connection& connection, MessageReader& reader, std::function<bool()>& is_over, std::uint64_t discard_bytes_max)
        : connection_(connection), reader_(reader), is_over_(is_over), discard_bytes_max_(discard_bytes_max) {}
    // Code::invalid_argument for a target or a query that cannot be read.
    Result<void> take_head(Head& head);

    std::optional<std::uint64_t> size() const override { return reader_.length(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;

    bool needs_length() const override { return http_1_0_; }
    using Request::end_with_client;
    void end_with_client(std::function<bool()> is_over) override { is_over_ = std::move(is_over); }

    // Reads what the handler left, so that the client comes to read the response; false when that fails, when it is too much, when nothing
    // comes for a while, or when it takes longer.
    Task<bool> discard_rest(Duration silence_max, Instant deadline);
    // More is announced than discard_rest() will take.
    bool rest_is_too_much() const { return reader_.body_left().value_or(0) > discard_bytes_max_; }
    // From now on a read no longer says "100 Continue": the final status is on its way.
    void response_begins() { may_say_continue_ = false; }

    // The client holds the body back and was not asked for it.
    bool body_withheld() const { return expects_continue_ && !said_continue_ && !reader_.body_done(); }
    bool body_done() const { return reader_.body_done(); }
    bool is_http_1_0() const { return http_1_0_; }
    bool client_keeps_alive() const { return keep_alive_; }

private:
    Result<void> take_target();
    Result<void> say_continue();

    Connection& connection_;
    MessageReader& reader_;
    std::function<bool()>& is_over_;
    const std::uint64_t discard_bytes_max_;
    bool http_1_0_ = false;
    bool keep_alive_ = false;
    bool expects_continue_ = false;
    bool said_continue_ = false;
    bool may_say_continue_ = true;
    bool failed_ = false;
};

class OutgoingResponse final : public Response, public PartSink {
public:
    // stopping: whether the server wants connections to end; read when the head is made.
    OutgoingResponse(IncomingRequest& request, MessageWriter& writer, const bool& stopping)
        : request_(request), writer_(writer), stopping_(stopping) {}

    Task<Result<void>> send(int status, Headers headers, std::string_view body) override;
    Task<Result<void>> send_head(int status, Headers headers, std::uint64_t content_length) override;
    Task<Result<void>> start(int status, Headers headers, std::optional<std::uint64_t> length) override;
    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    bool takes_parts() const override { return writer_.takes_parts(); }
    Task<Result<void>> write_part(FilePart part) override;
    Task<Result<void>> finish() override;
    bool started() const override { return state_ != State::fresh; }
    int status() const override { return status_; }

    // The connection ends after this response whatever the client wants. Before it starts.
    void end_connection() { keep_alive_ = false; }
    // The whole response has been handed to the socket.
    bool is_whole() const { return state_ == State::whole; }
    bool keeps_alive() const { return keep_alive_; }

private:
    const Request* request() const override { return &request_; }

    enum class State { fresh, streaming, whole, broken };
    Result<void> begin(int status, const Headers& headers, std::optional<std::uint64_t> length, bool with_body);
    Result<void> begin_write();
    Result<void> end_write(Result<void> sent);
    Task<Result<void>> send_whole(int status, const Headers& headers, std::uint64_t length, std::string_view body);

    IncomingRequest& request_;
    MessageWriter& writer_;
    const bool& stopping_;
    State state_ = State::fresh;
    int status_ = 0;
    bool keep_alive_ = true;
};

}  // namespace millrace::http
