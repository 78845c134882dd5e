// The chunked transfer coding, decoded piece by piece as bytes arrive. Strict: CRLF only, bounded extensions and trailers.
// Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace millrace::http {

class ChunkedDecoder {
public:
    struct Step {
        std::size_t consumed = 0;
        std::size_t produced = 0;
    };
    // Decodes until the input or the output is used up or the body ends. Code::invalid_argument on anything malformed.
    Result<Step> decode(std::string_view input, std::span<std::byte> output);
    // The caller has taken `count` bytes of data past the decoder. Requires count <= data_left().
    void skip_data(std::uint64_t count);

    bool done() const { return state_ == State::done; }
    // Bytes of the present chunk that follow next in the input; 0 inside of framing.
    std::uint64_t data_left() const { return state_ == State::data ? left_ : 0; }

private:
    enum class State { size, extension, size_lf, data, data_cr, data_lf, trailer_start, trailer, trailer_lf, end_lf, done };
    Result<void> take_framing(char c);
    Result<void> take_size(char c);

    State state_ = State::size;
    std::uint64_t left_ = 0;
    unsigned digits_ = 0;
    std::size_t overhead_ = 0;  // bytes of this chunk's extensions, or of the trailers, so far
};

}  // namespace millrace::http
