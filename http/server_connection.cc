#include "http/server_connection.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <ctime>
#include <exception>

#include "core/log.h"
#include "core/seldom.h"
#include "http/date.h"
#include "http/problem.h"
#include "http/head_rules.h"

namespace millrace::http {
namespace {
// A client that was redirected may send a large body to its end before it looks for the answer.
constexpr auto kDiscardTimeMax = std::chrono::hours(1);

// Who runs this node may have to know: of a wrong certificate or clock only one side is told why. Ends without a word are everyday.
void say_unopened(const std::string& peer, const boost::system::error_code& failure) {
    static Seldom words(std::chrono::seconds(1));
    if (failure.category() == boost::system::system_category() || failure.category() == boost::asio::error::get_misc_category()) return;
    if (const auto unsaid = words.turn()) {
        log::warn("a connection was refused", {{"peer", peer}, {"reason", failure.message()}, {"others_since", *unsaid}});
    }
}

}  // namespace

ServerConnection::ServerConnection(const Executor& lane, std::unique_ptr<Transport> transport, const Handler& handler,
                                   const ServerOptions& options, const bool& stopping)
    : connection_(lane, std::move(transport)),
      reader_(connection_, MessageReader::Kind::request),
      writer_(connection_),
      handler_(handler),
      options_(options),
      stopping_(stopping),
      peer_(connection_.peer()) {
    connection_.set_stall_limit(options.stall_time_max);
}

void ServerConnection::close_if_idle() {
    if (waits_for_request_ && !reader_.has_input()) connection_.close();
}

Task<void> ServerConnection::serve() {
    try {
        co_await answer_requests();
    } catch (const std::exception& failure) {
        // Cancellation arrives as an exception from whatever was awaited.
        log::debug("connection ended by an exception", {{"peer", peer_}, {"what", failure.what()}});
        connection_.cut();
    }
}

Task<void> ServerConnection::turn_away() {
    try {
        if (!co_await open()) co_return;
        co_await refuse(fail(Code::overloaded, "the server has as many connections as it may; try again later"), 503);
    } catch (const std::exception&) {
        connection_.cut();
    }
}

Task<bool> ServerConnection::open() {
    connection_.set_deadline(Side::read, steady_now() + options_.idle_time_max);
    waits_for_request_ = true;
    const boost::system::error_code failure = co_await connection_.open(Transport::Role::server);
    waits_for_request_ = false;
    if (!failure) peer_node_ = connection_.peer_node();
    if (failure) say_unopened(peer_, failure);
    co_return !failure;
}

Task<void> ServerConnection::refuse(const Error& error, int status) {
    const std::string document = problem_json(error, status);
    std::string& head = writer_.begin(Framing::length, document.size());
    head.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(status_text(status)).append("\r\n");
    append_field(head, "Content-Type", "application/problem+json");
    append_field(head, "Content-Length", std::to_string(document.size()));
    append_field(head, "Date", date_text(std::time(nullptr)));
    if (status == 503) append_field(head, "Retry-After", kRetryAfterSeconds);
    head.append("Connection: close\r\n\r\n");
    const Result<bool> sent = writer_.try_send(document);
    if (sent && *sent) co_await connection_.close_gently();
}

bool ServerConnection::is_abandoned() {
    if (!is_over_) return false;
    if (connection_.has_hung_up()) return true;
    return std::exchange(was_over_, is_over_()) && was_over_;
}

Task<void> ServerConnection::answer_requests() {
    if (!co_await open()) co_return;
    Head head;
    while (!stopping_) {
        head.headers = Headers();
        waits_for_request_ = true;
        const Result<bool> received = co_await reader_.read_head(head);
        waits_for_request_ = false;
        connection_.set_deadline(Side::read, Instant::max());
        if (!received) {
            const Code code = received.error().code;
            if (code == Code::invalid_argument) co_await refuse(received.error(), 400);
            if (code == Code::too_large) co_await refuse(received.error(), 431);
            co_return;
        }
        if (!*received) co_return;
        if (const std::optional<Refusal> refusal = refusal_of(head, reader_.framing())) {
            co_await refuse(refusal->error, refusal->status);
            co_return;
        }

        is_over_ = nullptr;
        was_over_ = false;
        IncomingRequest request(connection_, reader_, is_over_, options_.discard_bytes_max);
        request.peer = peer_;
        request.node = options_.node;
        request.peer_node = peer_node_;
        request.is_secure = connection_.is_secure();
        if (const Result<void> taken = request.take_head(head); !taken) {
            co_await refuse(taken.error(), 400);
            co_return;
        }
        OutgoingResponse response(request, writer_, stopping_);
        co_await answer(request, response);
        is_over_ = nullptr;
        if (!co_await settle(request, response)) co_return;
        connection_.set_deadline(Side::read, steady_now() + options_.idle_time_max);
    }
}

Task<void> ServerConnection::answer(IncomingRequest& request, OutgoingResponse& response) {
    std::string failure;
    try {
        co_await handler_(request, response);
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted) throw;
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    } catch (...) {
        failure = "not a std::exception";
    }
    if (!failure.empty()) {
        log::error("request handler threw", {{"peer", peer_}, {"method", request.method}, {"what", failure}});
    }
    if (response.started() || !connection_.is_open()) co_return;
    if (failure.empty()) log::error("request handler did not answer", {{"peer", peer_}, {"method", request.method}});
    const Error error = fail(Code::internal, "the server failed to answer this request; its log says why");
    (void)co_await response.send_error(error);
}

Task<bool> ServerConnection::settle(IncomingRequest& request, OutgoingResponse& response) {
    if (!response.is_whole()) {
        // A reply of which not a byte has been seen would look like a request that was never received.
        if (!writer_.head_sent()) writer_.try_flush();
        connection_.cut();
        co_return false;
    }
    if (!request.body_withheld() && !request.body_done()) {
        if (!co_await request.discard_rest(options_.idle_time_max, steady_now() + kDiscardTimeMax)) {
            co_await connection_.close_gently();
            co_return false;
        }
    }
    if (response.keeps_alive()) co_return true;
    co_await connection_.close_gently();
    co_return false;
}

}  // namespace millrace::http
