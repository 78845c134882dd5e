// The head of a message, taken out of bytes as they arrive, and what it says of the body behind it. Pure.
// RFC 9112; strict where it lets a reader choose.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace millrace::http {

inline constexpr std::size_t kHeadBytesMax = 64 * 1024;

// How the end of a body is known.
enum class Framing { none, length, chunked, until_close };

struct Head {
    std::string method;  // requests
    std::string target;
    int status = 0;      // replies
    bool http_1_0 = false;
    bool keep_alive = false;
    Headers headers;
};

class HeadDecoder {
public:
    enum class Kind { request, reply };
    // Fills in `head`, which outlives it. without_body: the reply to a HEAD request, which has none whatever it announces.
    HeadDecoder(Kind kind, Head& head, bool without_body = false);
    ~HeadDecoder();

    // Takes what it can off the front of all that arrived and was not taken yet: how many bytes. Requires !done().
    // Code::invalid_argument for what is not HTTP, too_large beyond kHeadBytesMax; it is of no use then.
    Result<std::size_t> take(std::string_view input);
    // Something of a message was taken; the empty lines before one are not of it.
    bool begun() const { return taken_ > 0; }
    bool done() const;

    // Of the body; both require done(). length: of Framing::length, else 0.
    Framing framing() const;
    std::uint64_t length() const;

private:
    struct Parser;
    template <bool is_request>
    struct ParserOf;
    std::unique_ptr<Parser> parser_;
    const Kind kind_;
    Head& head_;
    std::size_t taken_ = 0;
};

}  // namespace millrace::http
