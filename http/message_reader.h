// Reads HTTP messages from a connection, one after the other: a head, then its body in the caller's buffers.
//
// One executor only, one task at a time.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "http/chunked.h"
#include "http/connection.h"
#include "http/head_decoder.h"

namespace millrace::http {

class MessageReader {
public:
    using Kind = HeadDecoder::Kind;
    MessageReader(Connection& connection, Kind kind);
    ~MessageReader();

    // Reads the next head; false when the peer closed before its first byte. Requires that the previous body is done.
    // Code::invalid_argument for what is not HTTP, too_large beyond kHeadBytesMax, else as Connection::error().
    // without_body: the reply to a HEAD request, which has none whatever it announces.
    Task<Result<bool>> read_head(Head& head, bool without_body = false);
    // Some bytes of the body; 0 at its end. Code::incomplete_body when the connection ends before the body does.
    Task<Result<std::size_t>> read_body(std::span<std::byte> buffer);

    Framing framing() const { return framing_; }
    // Content-Length, where that is the framing; 0 without a body.
    std::optional<std::uint64_t> length() const;
    bool body_done() const;
    // What is still to come of a body, as far as that is known.
    std::optional<std::uint64_t> body_left() const;
    // Bytes that were received and belong to what comes next.
    bool has_input() const { return begin_ < end_; }

private:
    Task<Result<std::size_t>> read_chunked(std::span<std::byte> buffer);
    // Reads more into the buffer; 0 at the end of the connection.
    Task<Result<std::size_t>> fill();
    std::string_view input() const { return {buffer_.get() + begin_, end_ - begin_}; }
    void make_room();

    Connection& connection_;
    Kind kind_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    Framing framing_ = Framing::none;
    std::uint64_t length_ = 0;
    std::uint64_t left_ = 0;     // Framing::length: bytes still to come
    bool ended_ = true;          // Framing::until_close: the connection has ended
    ChunkedDecoder chunks_;
};

}  // namespace millrace::http
