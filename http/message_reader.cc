#include "http/message_reader.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cstring>

#include "core/check.h"

namespace millrace::http {
namespace {

constexpr std::size_t kFirstBufferBytes = 16 * 1024;
constexpr std::size_t kBufferBytesMax = 2 * kHeadBytesMax;

}  // namespace

MessageReader::MessageReader(Connection& connection, Kind kind) : connection_(connection), kind_(kind) {}
MessageReader::~MessageReader() = default;

std::optional<std::uint64_t> MessageReader::length() const {
    if (framing_ == Framing::chunked || framing_ == Framing::until_close) return std::nullopt;
    return length_;
}

std::optional<std::uint64_t> MessageReader::body_left() const {
    return length() ? std::optional(left_) : std::nullopt;
}

bool MessageReader::body_done() const {
    switch (framing_) {
        case Framing::none: return true;
        case Framing::length: return left_ == 0;
        case Framing::chunked: return chunks_.done();
        case Framing::until_close: return ended_;
    }
    return true;
}

void MessageReader::make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return;
    if (begin_ > 0) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
        return;
    }
    capacity_ = capacity_ == 0 ? kFirstBufferBytes : std::min(capacity_ * 2, kBufferBytesMax);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    if (end_ > 0) std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
}

Task<Result<std::size_t>> MessageReader::fill() {
    make_room();
    MILLRACE_CHECK(end_ < capacity_);
    const auto room = std::as_writable_bytes(std::span(buffer_.get() + end_, capacity_ - end_));
    const auto [failure, count] = co_await connection_.read_some(room);
    if (failure == boost::asio::error::eof && !connection_.expired()) co_return 0;
    if (failure) co_return connection_.error("reading", failure);
    end_ += count;
    co_return count;
}

Task<Result<bool>> MessageReader::read_head(Head& head, bool without_body) {
    MILLRACE_CHECK(body_done());
    framing_ = Framing::none;
    length_ = left_ = 0;
    chunks_ = ChunkedDecoder();
    HeadDecoder decoder(kind_, head, without_body);
    while (!decoder.done()) {
        if (has_input()) {
            MILLRACE_CO_TRY_ASSIGN(const std::size_t taken, decoder.take(input()));
            begin_ += taken;
            if (decoder.done()) break;
        }
        const bool has_begun = decoder.begun() || has_input();
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await fill());
        if (count == 0 && !has_begun) co_return false;
        if (count == 0) co_return fail(Code::incomplete_body, "the connection was closed within a message's headers");
    }
    framing_ = decoder.framing();
    left_ = length_ = decoder.length();
    ended_ = framing_ != Framing::until_close;
    co_return true;
}

Task<Result<std::size_t>> MessageReader::read_chunked(std::span<std::byte> buffer) {
    for (;;) {
        if (has_input()) {
            MILLRACE_CO_TRY_ASSIGN(const ChunkedDecoder::Step step, chunks_.decode(input(), buffer));
            begin_ += step.consumed;
            if (step.produced > 0 || chunks_.done()) co_return step.produced;
            continue;
        }
        if (chunks_.data_left() >= buffer.size()) {
            const auto [failure, count] = co_await connection_.read_some(buffer);
            if (failure) co_return connection_.error("reading a chunked body", failure);
            chunks_.skip_data(count);
            co_return count;
        }
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await fill());
        if (count == 0) co_return fail(Code::incomplete_body, "the connection was closed before the last chunk of the body");
    }
}

Task<Result<std::size_t>> MessageReader::read_body(std::span<std::byte> buffer) {
    if (buffer.empty() || body_done()) co_return 0;
    if (framing_ == Framing::chunked) co_return co_await read_chunked(buffer);
    if (framing_ == Framing::length && buffer.size() > left_) buffer = buffer.first(static_cast<std::size_t>(left_));
    std::size_t count = 0;
    if (has_input()) {
        count = std::min(buffer.size(), input().size());
        std::memcpy(buffer.data(), input().data(), count);
        begin_ += count;
    } else {
        const auto [failure, received] = co_await connection_.read_some(buffer);
        if (failure == boost::asio::error::eof && framing_ == Framing::until_close && !connection_.expired()) {
            ended_ = true;
            co_return 0;
        }
        if (failure) {
            std::string action = "reading a body";
            if (framing_ == Framing::length) {
                action += " after " + std::to_string(length_ - left_) + " of " + std::to_string(length_) + " bytes";
            }
            co_return connection_.error(action, failure);
        }
        count = received;
    }
    if (framing_ == Framing::length) left_ -= count;
    co_return count;
}

}  // namespace millrace::http
