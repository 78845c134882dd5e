// Writes HTTP messages to a connection: a head, then a body framed by its length or in chunks.
//
// One executor only, one task at a time.
#pragma once
#include <array>
#include <span>
#include <string>

#include "http/connection.h"
#include "http/message_reader.h"

namespace millrace::http {

// Appends "Name: value\r\n" for each, leaving out Connection, Content-Length and Transfer-Encoding: whoever frames the message
// writes those. Code::invalid_argument for a name or a value that would break out of its line.
Result<void> append_fields(std::string& text, const Headers& headers);
void append_field(std::string& text, std::string_view name, std::string_view value);

class MessageWriter {
public:
    explicit MessageWriter(Connection& connection) : connection_(connection) {}

    // Begins a message and returns its head for the caller to write; it goes out with the first bytes of the body.
    // Framing::none swallows the body (HEAD). Nothing else may be called before the head is whole.
    std::string& begin(Framing framing, std::uint64_t length);
    // The rest of a message in one go, as much as the socket takes now: true when that was all, else send_rest() must follow.
    // Requires that the message has a length, which is the body's.
    Result<bool> try_send(std::string_view body);
    Task<Result<void>> send_rest();

    // More bytes than announced are Code::invalid_argument, and not sent.
    Task<Result<void>> write(std::span<const std::byte> bytes);
    // The same, straight from a file, where takes_parts().
    bool takes_parts() const { return framing_ == Framing::length && connection_.file_sender() != nullptr; }
    Task<Result<void>> write_part(FilePart part);
    Task<Result<void>> flush();
    // The same without waiting; what the socket does not take is lost.
    void try_flush();
    // Fewer bytes than announced are Code::incomplete_body.
    Task<Result<void>> finish();

    bool head_sent() const { return head_sent_; }
    std::uint64_t written() const { return written_; }

private:
    Result<void> check_length(std::size_t count) const;
    void gather(std::span<const std::byte> bytes, std::string_view suffix);
    void advance(std::size_t count);

    Connection& connection_;
    Framing framing_ = Framing::none;
    std::uint64_t length_ = 0;
    std::uint64_t written_ = 0;
    bool head_sent_ = false;
    std::string head_;  // and the line of a chunk's size
    std::array<std::span<const std::byte>, Transport::kPartsMax> parts_;
};

}  // namespace millrace::http
