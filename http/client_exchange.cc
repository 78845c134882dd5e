#include "http/client_exchange.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "core/check.h"
#include "http/head_rules.h"
#include "http/read_all.h"

namespace millrace::http {
namespace asio = boost::asio;
namespace {

constexpr auto kContinueWait = std::chrono::seconds(1);
constexpr auto kJoinStep = std::chrono::minutes(1);  // a wait that is repeated until its event is there

Error cancelled() { return fail(Code::cancelled, "cancelled"); }

bool breaks_line(std::string_view text) {
    return text.empty() || std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 127; });
}

}  // namespace

Task<Result<std::string>> Exchange::read_all(std::size_t bytes_max) { return read_to_string(*this, bytes_max); }

// What the sending task works on. It outlives the exchange if it must; the request's body does not, so after each wait the
// task looks at `abandoned` before it touches the body again.
struct ClientExchange::Sending {
    Sending(const Executor& executor, std::unique_ptr<Channel> taken, std::shared_ptr<ClientPool> owner)
        : channel(std::move(taken)), pool(std::move(owner)), answered(executor), done(executor) {}

    Task<void> run();
    Task<void> stream();
    Task<Result<std::size_t>> read_piece(std::span<std::byte> buffer);
    void fail_body(Error error) {
        body_error = std::move(error);
        channel->connection->cut();
    }
    Connection& connection() { return *channel->connection; }

    std::unique_ptr<Channel> channel;
    std::shared_ptr<ClientPool> pool;
    Source* body = nullptr;
    std::shared_ptr<void> body_owner;
    std::optional<std::string_view> whole;  // the body, when it lies in memory
    std::optional<std::uint64_t> size;
    bool waits_for_continue = false;
    Event answered;  // by "100 Continue" or a final status
    bool has_final_status = false;

    bool running = false;
    Event done;
    asio::cancellation_signal cancel;
    bool reads_body = false;  // a read of the body is under way
    bool abandoned = false;
    bool sent = false;
    std::optional<Error> body_error;
};

Task<Result<std::size_t>> ClientExchange::Sending::read_piece(std::span<std::byte> buffer) {
    const std::uint64_t left = size ? *size - channel->writer.written() : buffer.size();
    if (left < buffer.size()) buffer = buffer.first(static_cast<std::size_t>(left));
    if (buffer.empty()) co_return 0;
    Result<std::size_t> count = 0;
    reads_body = true;
    try {
        count = co_await body->read(buffer);
    } catch (const std::exception& error) {
        count = fail(Code::internal, std::string("reading the body of the request: ") + error.what());
    }
    reads_body = false;
    co_return count;
}

Task<void> ClientExchange::Sending::stream() {
    MessageWriter& writer = channel->writer;
    if (!size) {
        // A body of unknown length may be long in coming, and its reply may begin before it does.
        const Result<void> flushed = co_await writer.flush();
        if (!flushed) co_return;
    }
    struct Borrowed {
        ClientPool& owner;
        ClientPool::Buffer buffer = owner.take_buffer();
        ~Borrowed() { owner.give_back(std::move(buffer)); }
    } const borrowed{*pool};
    while (!abandoned) {
        const std::span<std::byte> buffer(borrowed.buffer.get(), kBodyChunkBytes);
        Result<std::size_t> count = co_await read_piece(buffer);
        if (abandoned) co_return;
        if (!count) co_return fail_body(std::move(count).error());
        if (*count == 0 && writer.written() < size.value_or(0)) {
            const std::string progress = std::to_string(writer.written()) + " of " + std::to_string(*size) + " bytes";
            co_return fail_body(fail(Code::incomplete_body, "the body of the request ended after " + progress));
        }
        const std::span<const std::byte> bytes(buffer.data(), *count);
        // A lost connection is reported by whoever reads the reply.
        const Result<void> written = co_await (bytes.empty() ? writer.finish() : writer.write(bytes));
        if (!written) co_return;
        if (bytes.empty() || (size && writer.written() == *size)) {
            sent = true;
            co_return;
        }
    }
}

Task<void> ClientExchange::Sending::run() {
    MessageWriter& writer = channel->writer;
    if (waits_for_continue) {
        const Result<void> flushed = co_await writer.flush();
        if (!flushed || abandoned) co_return;
        (void)co_await answered.wait_until(steady_now() + kContinueWait);
        if (abandoned || has_final_status) co_return;
    }
    if (!whole) {
        co_await stream();
    } else {
        // Without waiting, the head and the body were gathered before; a part of them is left.
        const Result<void> written = co_await (waits_for_continue ? writer.write(as_bytes(*whole)) : writer.send_rest());
        sent = written.has_value();
    }
}

ClientExchange::ClientExchange(Executor executor, std::shared_ptr<ClientPool> pool, const Endpoint& server,
                               std::unique_ptr<Channel> channel)
    : executor_(std::move(executor)),
      pool_(std::move(pool)),
      server_(server),
      sending_(std::make_shared<Sending>(executor_, std::move(channel), pool_)) {}

ClientExchange::~ClientExchange() {
    if (over_) return;
    MILLRACE_CHECK(!sending_->reads_body || sending_->body_owner != nullptr);
    sending_->abandoned = true;
    sending_->connection().cut();
    if (sending_->running) sending_->cancel.emit(asio::cancellation_type::terminal);
}

bool ClientExchange::request_sent() const { return sending_->sent; }

Result<void> ClientExchange::write_head(const ClientRequest& request) {
    const bool usually_has_body = request.method == "PUT" || request.method == "POST" || request.method == "PATCH";
    const bool chunked = !sending_->size;
    if (breaks_line(request.method) || breaks_line(request.target) || !request.target.starts_with('/')) {
        return fail(Code::invalid_argument,
                    "'" + request.target + "' cannot be requested: a target begins with '/' and has no blanks");
    }
    const Framing framing = chunked ? Framing::chunked : Framing::length;
    std::string& head = sending_->channel->writer.begin(framing, sending_->size.value_or(0));
    head.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
    if (!request.headers.find("Host")) append_field(head, "Host", server_.authority());
    MILLRACE_TRY(append_fields(head, request.headers));
    if (chunked) {
        append_field(head, "Transfer-Encoding", "chunked");
    } else if (request.body != nullptr || usually_has_body) {
        append_field(head, "Content-Length", std::to_string(*sending_->size));
    }
    if (sending_->waits_for_continue) append_field(head, "Expect", "100-continue");
    head.append("\r\n");
    return {};
}

void ClientExchange::start_sending(const ClientRequest& request) {
    Sending& sending = *sending_;
    if (sending.whole && !sending.waits_for_continue) {
        // Small requests end here: one system call, no task. A failure shows again when the reply is read.
        const Result<bool> all = sending.channel->writer.try_send(*sending.whole);
        sending.sent = all && *all;
        if (!all || *all) return;
    }
    sending.body = request.body;
    sending.body_owner = request.body_owner;
    sending.running = true;
    const auto finished = [shared = sending_](std::exception_ptr) {
        // An exception is the cancellation of an abandoned exchange: the body's are caught where it is read.
        shared->body_owner.reset();
        shared->running = false;
        shared->done.set();
    };
    const auto run = [shared = sending_]() -> Task<void> { return shared->run(); };
    asio::co_spawn(executor_, run, asio::bind_cancellation_slot(sending.cancel.slot(), finished));
}

// The caller has switched off that its awaits throw when it is cancelled: the body must not be touched after this returns.
Task<void> ClientExchange::stop_sending() {
    sending_->abandoned = true;
    sending_->connection().cut();
    if (sending_->running) sending_->cancel.emit(asio::cancellation_type::terminal);
    while (sending_->running) (void)co_await sending_->done.wait_until(steady_now() + kJoinStep);
}

Error ClientExchange::reason(Error error) const {
    if (sending_->body_error) return *sending_->body_error;
    const std::string server = server_.text();
    if (sending_->connection().expired()) {
        pool_->forget(server_);  // others to it may swallow what is sent as well
        return fail(Code::timed_out, server + " did not answer in full before the deadline");
    }
    return error.during("talking to " + server);
}

Task<Result<void>> ClientExchange::read_reply_head(bool to_head_request) {
    MessageReader& reader = sending_->channel->reader;
    for (bool first = true;; first = false) {
        Head head;
        Result<bool> received = co_await reader.read_head(head, to_head_request);
        if (received && *received) {
            if (const Result<void> sound = check_reply(head); !sound) received = sound.error();
        }
        if (!received || !*received) {
            const Error closed = fail(Code::incomplete_body, "the connection was closed before the reply");
            const Error error = received ? closed : received.error();
            const bool ended = error.code == Code::incomplete_body;
            stale_ = ended && first && !reader.has_input() && sending_->channel->reused && !sending_->body_error;
            if (ended) co_return fail(Code::unavailable, error.context);
            const bool garbage = error.code == Code::invalid_argument || error.code == Code::too_large;
            co_return fail(garbage ? Code::transient : error.code, error.context);
        }
        if (head.status == 100) sending_->answered.set();
        if (head.status < 200 && head.status != 101) continue;
        status = head.status;
        headers = std::move(head.headers);
        keep_alive_ = head.keep_alive && head.status != 101 && reader.framing() != Framing::until_close;
        size_ = reader.length();
        ends_with_connection = reader.framing() == Framing::until_close;
        sending_->has_final_status = true;
        sending_->answered.set();
        co_return Result<void>{};
    }
}

Task<Result<void>> ClientExchange::begin(const ClientRequest& request, Instant deadline) {
    Sending& sending = *sending_;
    sending.whole = request.body == nullptr ? std::string_view() : request.body->whole();
    sending.size = sending.whole ? sending.whole->size() : request.body->size();
    sending.waits_for_continue = request.expect_continue && request.body != nullptr && sending.size != 0;
    trusts_end_ = request.trusts_end_of_connection;
    if (Result<void> written = write_head(request); !written) {
        sending.connection().close();
        over_ = true;
        co_return written;
    }
    sending.connection().set_deadline(Side::read, deadline);
    if (request.due) sending.connection().set_due(request.due);
    start_sending(request);
    Result<void> replied = cancelled();
    try {
        replied = co_await read_reply_head(request.method == "HEAD");
    } catch (const boost::system::system_error&) {
        // The task was cancelled between two waits.
    }
    if (replied && (!sending.channel->reader.body_done() || settle_at_once())) co_return replied;
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (replied) {
        co_await settle();
    } else {
        co_await stop_sending();
        over_ = true;
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!replied) co_return reason(std::move(replied).error());
    co_return replied;
}

bool ClientExchange::settle_at_once() {
    Sending& sending = *sending_;
    if (!sending.sent || sending.running) return false;
    over_ = true;
    if (keep_alive_ && !sending.channel->reader.has_input() && sending.connection().is_open()) {
        sending.connection().set_deadline(Side::read, Instant::max());
        sending.connection().set_due({});
        pool_->give_back(server_, std::move(sending.channel));
    } else {
        sending.connection().close();
    }
    return true;
}

Task<void> ClientExchange::settle() {
    // If the server answered in full, then what it has not read of the request, it never will.
    if (!sending_->sent) co_await stop_sending();
    while (sending_->running) (void)co_await sending_->done.wait_until(steady_now() + kJoinStep);
    if (settle_at_once()) co_return;
    sending_->connection().close();
    over_ = true;
}

Task<Result<std::size_t>> ClientExchange::read(std::span<std::byte> buffer) {
    if (failure_) co_return *failure_;
    if (over_ || buffer.empty()) co_return 0;
    MessageReader& reader = sending_->channel->reader;
    Result<std::size_t> count = cancelled();
    try {
        count = co_await reader.read_body(buffer);
    } catch (const boost::system::system_error&) {
        // The task was cancelled between two waits.
    }
    if (count && *count == 0 && ends_with_connection && !trusts_end_ && status < 400) {
        count = fail(Code::incomplete_body, "the connection ended, and the reply had not said how long it is: nobody knows whether this is all of it");
    }
    const bool failed = !count || sending_->body_error;
    if (!failed && (!reader.body_done() || settle_at_once())) co_return count;
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (failed) {
        Error error = count ? fail(Code::internal, "the request's body failed") : std::move(count).error();
        if (error.code == Code::invalid_argument) error.code = Code::transient;  // a malformed reply, not a malformed request
        co_await stop_sending();
        over_ = true;
        failure_ = reason(std::move(error));
        count = *failure_;
    } else {
        co_await settle();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return count;
}

Task<void> ClientExchange::close() {
    if (over_) co_return;
    failure_ = fail(Code::cancelled, "the exchange with " + server_.text() + " was closed before its end");
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await stop_sending();
    over_ = true;
    co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace millrace::http
