#include "runtime/ws_link.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <exception>

#include "runtime/outcome.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace {

namespace asio = boost::asio;
using Piece = http::WebSocket::Piece;

constexpr Duration kFarewellTimeMax = std::chrono::milliseconds(500);
constexpr std::size_t kTextBytesMax = 400;
constexpr std::uint32_t kReturnsMax = 3;

bool claims_delivery(std::string_view text) {
    return text == "direct put success" || (!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
}

RunStats stats_of(const Passage& passage, std::uint64_t bytes_out) {
    return {passage.object.file_path.empty() ? passage.bytes_sent : passage.source.size().value_or(0), bytes_out};
}

// A result that came by direct put, or began to: what the answer says beside it is no result.
RunResult delivery_result(const Passage& passage) {
    if (const auto failure = passage.direct->failure()) return std::unexpected(sink_failure(*failure));
    if (const auto bytes = passage.direct->delivered()) return stats_of(passage, *bytes);
    return std::unexpected(transform_failure(Code::transient, "its direct put broke off, though it answered"));
}

RunResult text_result(const Passage& passage, const std::string& text) {
    const bool has_put = passage.direct != nullptr && (passage.direct->failure() || passage.direct->delivered());
    if (has_put) return delivery_result(passage);
    const std::string words = one_line(text);
    if (claims_delivery(text)) {
        return std::unexpected(transform_failure(Code::transient, "answered '" + words + "', as after a direct put, but nothing was delivered"));
    }
    return std::unexpected(transform_failure(Code::rejected, words.empty() ? "answered with an empty text" : words));
}

}  // namespace

void Passage::settle(RunResult outcome) {
    result = source_error ? std::unexpected(source_failure(*source_error)) : std::move(outcome);
    settled.set();
}

bool Passage::can_go_again() const {
    return !is_answered && (source.whole() || !object.file_path.empty()) && !(direct != nullptr && direct->has_begun());
}

void Passage::go_again() {
    goes_again = true;
    ++returns;
    settled.set();
}

Task<bool> WsLink::carry(Passage& passage) {
    ++objects_;
    // Each object that goes before it is settled within its own time.
    const Instant turn_max = steady_now() + passage.allowed * static_cast<std::int64_t>(objects_);
    const auto is_free = [this] { return broken_ || !sending_; };
    const bool has_turn = co_await turns_.wait(is_free, turn_max);
    const bool goes = has_turn && !broken_;
    if (goes) {
        sending_ = true;
        TaskGroup sending(lane_);
        sending.spawn(send(passage));
        while (!passage.settled.is_set()) {
            (void)co_await passage.settled.wait_until(steady_now() + kWaitStep);
            if (passage.settled.is_set() || !co_await is_cancelled()) continue;
            passage.is_cancelled = true;
            give_up();
            let_go(passage);
            sending.cancel();
        }
        sending.cancel();
        co_await sending.join();
    }
    --objects_;
    if (!passage.goes_again) co_return goes;
    passage.goes_again = false;
    passage.bytes_sent = 0;
    passage.sent.clear();
    passage.settled.clear();
    co_return false;
}

// A cancelled object does not wait for those before it on a connection that was given up, whose clients may read slowly.
void WsLink::let_go(Passage& passage) {
    if (passage.is_answered) return;
    std::erase(unanswered_, &passage);
    passage.settle(std::unexpected(transform_failure(Code::cancelled, "the run was cancelled")));
}

// A task of its own: it ends early, also in the middle of a read of the source, once the object is settled.
Task<void> WsLink::send(Passage& passage) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (co_await connect(passage)) {
        unanswered_.push_back(&passage);
        if (unanswered_.size() == 1) begin_next();
        const std::span<const std::byte> control = as_bytes(passage.control);
        Result<void> written = co_await socket_->write(control, true);
        if (written && passage.object.file_path.empty()) written = co_await send_content(passage);
        if (passage.source_error) give_up();
        if (!written && !passage.source_error) stop_sending();
    }
    passage.sent.set();
    sending_ = false;
    turns_.look_again();
}

// False when the passage is settled because it cannot be sent.
Task<bool> WsLink::connect(Passage& passage) {
    if (socket_) co_return true;
    const std::string path = "/ws";
    const Instant deadline = steady_now() + passage.allowed;
    auto connected = co_await http::WebSocket::connect(server_->endpoint, path, deadline, server_->open_socket);
    if (connected && !broken_) {
        socket_ = std::move(*connected);
        answer_.resize(kBodyChunkBytes);
        readers_.spawn(read_answers(shared_from_this()));
        co_return true;
    }
    const bool was_given_up = given_up_;
    const bool may_be_dead = !was_given_up && connected.error().code != Code::rejected;
    cut();
    // The server has seen nothing of the object: its death is not the object's doing.
    const auto death = co_await server_->wait_death(may_be_dead ? kDeathNewsMax : Duration::zero());
    if (passage.is_cancelled) {
        passage.settle(std::unexpected(transform_failure(Code::cancelled, "the run was cancelled")));
    } else if (death || was_given_up) {
        passage.settle(std::unexpected(transform_failure(Code::unavailable, death.value_or("the connection was given up"))));
    } else {
        const Error error = connected.error();
        const bool is_meant = error.code == Code::rejected || error.code == Code::overloaded;
        passage.settle(std::unexpected(transform_failure(is_meant ? error.code : Code::transient, error.context)));
    }
    co_return false;
}

Task<Result<void>> WsLink::send_content(Passage& passage) {
    if (const auto whole = passage.source.whole()) {
        const std::span<const std::byte> bytes = as_bytes(*whole);
        passage.bytes_sent = bytes.size();
        co_return co_await socket_->write(bytes, true);
    }
    content_.resize(kBodyChunkBytes);
    for (;;) {
        Result<std::size_t> count = co_await read_source(passage, content_);
        if (count && *count == 0 && passage.bytes_sent < passage.source.size().value_or(0)) {
            count = fail(Code::incomplete_body, "the source ended after " + std::to_string(passage.bytes_sent) + " of " +
                                                    std::to_string(*passage.source.size()) + " bytes");
        }
        // A read that ends because the object was given up is no failure of the source.
        if (!count && !passage.settled.is_set() && !passage.is_cancelled) passage.source_error = count.error();
        if (!count) co_return std::move(count).error();
        passage.bytes_sent += *count;
        const std::span<const std::byte> piece(content_.data(), *count);
        const bool is_last = piece.empty() || passage.bytes_sent == passage.source.size();
        Result<void> written = co_await socket_->write(piece, is_last);
        moved(passage);
        if (!written || is_last) co_return written;
    }
}

Task<Result<std::size_t>> WsLink::read_source(Passage& passage, std::span<std::byte> buffer) {
    Result<std::size_t> count = 0;
    try {
        count = co_await passage.source.read(buffer);
    } catch (const std::exception& error) {
        count = fail(Code::internal, std::string("reading the object: ") + error.what());
    }
    co_return count;
}

Task<void> WsLink::read_answers(std::shared_ptr<WsLink> self) {
    const Error why = co_await self->read_until_broken();
    co_await self->settle_rest(why);
}

// Whoever reads the answers says why: the server's farewell may be on its way, and is waited for.
void WsLink::stop_sending() {
    broken_ = is_lost_ = true;
    socket_->set_deadline(steady_now() + kFarewellTimeMax);
    turns_.look_again();
}

Task<Error> WsLink::read_until_broken() {
    for (;;) {
        const Result<Piece> piece = co_await socket_->read(answer_);
        if (!piece) co_return piece.error();
        if (unanswered_.empty()) co_return fail(Code::transient, "it answered without being asked");
        Passage& passage = *unanswered_.front();
        passage.is_answered = true;
        const Result<void> taken = co_await take_answer(passage, *piece);
        if (!taken) co_return taken.error();
        // The next object goes behind this one, however early the answer to it came.
        (void)co_await passage.sent.wait_until(passage.due());
        const bool was_sent = passage.sent.is_set();
        if (!was_sent) cut();
        unanswered_.pop_front();
        passage.settle(std::move(passage.result));
        if (!was_sent) co_return fail(Code::unavailable, "it did not take all of an object that it answered");
        begin_next();
    }
}

// Its first piece is here; to its end, whatever becomes of it, so that the next one begins where it should.
Task<Result<void>> WsLink::take_answer(Passage& passage, Piece piece) {
    DirectPut* const direct = passage.direct;
    const bool has_put = direct != nullptr && direct->has_begun();
    // From here on the result cannot come by two ways at once.
    if (direct != nullptr && !has_put && !piece.is_text) co_await direct->close();
    std::string text;
    std::uint64_t bytes_out = 0;
    std::optional<Error> sink_error;
    for (;;) {
        const std::span<const std::byte> bytes(answer_.data(), piece.bytes);
        if (piece.is_text) {
            text.append(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kTextBytesMax - text.size()));
        } else if (!has_put && !sink_error && !bytes.empty()) {
            socket_->set_deadline(Instant::max());  // the sink is waited for
            const Result<void> written = co_await passage.sink.write(bytes);
            moved(passage);
            if (!written) sink_error = written.error();
            bytes_out += bytes.size();
        }
        if (piece.is_last) break;
        MILLRACE_CO_TRY_ASSIGN(piece, co_await socket_->read(answer_));
    }
    if (piece.is_text) {
        passage.result = text_result(passage, text);
    } else if (has_put) {
        passage.result = delivery_result(passage);
    } else if (sink_error) {
        passage.result = std::unexpected(sink_failure(*sink_error));
    } else {
        passage.result = stats_of(passage, bytes_out);
    }
    co_return Result<void>{};
}

void WsLink::begin_next() {
    Instant deadline = Instant::max();
    if (!unanswered_.empty()) {
        Passage& head = *unanswered_.front();
        head.head_since = steady_now();
        if (head.object.clock != nullptr) head.object.clock->restart(head.head_since);
        deadline = head.due();
    }
    socket_->set_deadline(deadline);
}

// Some of it: the time of the first one that is unanswered may be later by that.
void WsLink::moved(const Passage& passage) {
    if (!unanswered_.empty() && unanswered_.front() == &passage) socket_->set_deadline(passage.due());
}

// What the server's farewell says of an object.
Failure WsLink::farewell_failure(const http::WebSocket::Farewell& farewell) {
    switch (farewell.code) {
        case 1003:
        case 1007:
        case 1008:
        case 1009: return transform_failure(Code::rejected, farewell.text);
        case 1001:
        case 1011:
        case 1012:
        case 1013: return transform_failure(Code::transient, farewell.text);
        default: return transform_failure(Code::crashed, farewell.text + ", before its answer");
    }
}

// Whose content made the server say farewell: the first one that it owes an answer, or, when a message was too big for it and it reads
// ahead, the largest.
const Passage* WsLink::blamed(const http::WebSocket::Farewell& farewell) const {
    if (farewell.code != 1009) return unanswered_.front();
    return *std::ranges::max_element(unanswered_, {}, [](const Passage* passage) { return passage->bytes_sent; });
}

// A server may end a connection for reasons of its own; one that does so again and again without an answer has to do with the object.
bool WsLink::is_orderly(int code) { return code == 1000 || code == 1001 || code == 1012; }

// The server ended the connection on purpose. One object has to do with that; the others go by another connection.
void WsLink::settle_by(const http::WebSocket::Farewell& farewell) {
    const Passage* const suspect = is_orderly(farewell.code) && unanswered_.front()->returns < kReturnsMax ? nullptr : blamed(farewell);
    while (!unanswered_.empty()) {
        Passage& passage = *unanswered_.front();
        unanswered_.pop_front();
        if (passage.is_cancelled) {
            passage.settle(std::unexpected(transform_failure(Code::cancelled, "the run was cancelled")));
        } else if (&passage == suspect) {
            passage.settle(std::unexpected(farewell_failure(farewell)));
        } else if (passage.can_go_again()) {
            passage.go_again();
        } else {
            passage.settle(std::unexpected(transform_failure(Code::transient, "its connection was closed before its answer")));
        }
    }
}

Task<void> WsLink::settle_rest(Error why) {
    const auto farewell = given_up_ ? std::nullopt : socket_->farewell();
    cut();
    if (is_lost_ && why.code == Code::timed_out) why = fail(Code::unavailable, "the connection was closed");
    if (farewell && !unanswered_.empty() && !server_->death()) {
        settle_by(*farewell);
        co_return;
    }
    const bool may_be_dead = !unanswered_.empty() && why.code == Code::unavailable && !given_up_;
    const auto death = co_await server_->wait_death(may_be_dead ? kDeathNewsMax : Duration::zero());
    for (bool is_head = true; !unanswered_.empty(); is_head = false) {
        Passage& passage = *unanswered_.front();
        unanswered_.pop_front();
        // It was our doing, and no object's.
        if (given_up_ && !death && !passage.is_cancelled && passage.can_go_again()) {
            passage.go_again();
            continue;
        }
        Failure failure = given_up_ && !death ? transform_failure(Code::transient, "its connection was given up because of another object")
                                                 : transform_failure(Code::crashed, death.value_or("the connection was closed before its answer"));
        if (passage.is_cancelled) {
            failure = transform_failure(Code::cancelled, "the run was cancelled");
        } else if (is_head && why.code == Code::timed_out) {
            failure = timed_out_failure(passage.object, passage.head_since);
        } else if (is_head && why.code == Code::transient) {
            failure = transform_failure(why.code, why.context);
        }
        passage.settle(std::unexpected(std::move(failure)));
    }
}

void WsLink::cut() {
    broken_ = true;
    if (socket_) socket_->cut();
    turns_.look_again();
}

void WsLink::give_up() {
    given_up_ = true;
    cut();
}

Task<void> WsLink::close() {
    if (socket_ && objects_ == 0 && !broken_ && !server_->death()) co_await socket_->close(steady_now() + kFarewellTimeMax);
    give_up();
}

}  // namespace millrace::runtime
