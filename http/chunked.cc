#include "http/chunked.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace millrace::http {
namespace {

constexpr std::size_t kOverheadBytesMax = 64 * 1024;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Error malformed(std::string_view what) {
    return fail(Code::invalid_argument, "the chunked body is malformed: " + std::string(what));
}

}  // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(std::string_view input, std::span<std::byte> output) {
    Step step;
    while (step.consumed < input.size() && state_ != State::done) {
        if (state_ != State::data) {
            MILLRACE_TRY(take_framing(input[step.consumed]));
            ++step.consumed;
            continue;
        }
        const std::size_t room = std::min(input.size() - step.consumed, output.size() - step.produced);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room, left_));
        if (count == 0) break;
        std::memcpy(output.data() + step.produced, input.data() + step.consumed, count);
        step.consumed += count;
        step.produced += count;
        skip_data(count);
    }
    return step;
}

void ChunkedDecoder::skip_data(std::uint64_t count) {
    MILLRACE_CHECK(state_ == State::data && count <= left_);
    left_ -= count;
    if (left_ == 0) state_ = State::data_cr;
}

Result<void> ChunkedDecoder::take_size(char c) {
    if (const int digit = hex_value(c); digit >= 0) {
        if (++digits_ > 15) return malformed("a chunk size is too large");
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        return {};
    }
    if (digits_ == 0) return malformed("a chunk size is missing");
    if (c == '\r') {
        state_ = State::size_lf;
    } else if (c == ';' || c == ' ' || c == '\t') {
        state_ = State::extension;
    } else {
        return malformed("a chunk size is not hexadecimal");
    }
    return {};
}

Result<void> ChunkedDecoder::take_framing(char c) {
    const auto expect = [&](char wanted, State next) -> Result<void> {
        if (c != wanted) return malformed("a line does not end with CR LF");
        state_ = next;
        return {};
    };
    switch (state_) {
        case State::size: return take_size(c);
        case State::extension:
        case State::trailer:
            if (++overhead_ > kOverheadBytesMax) return malformed("extensions and trailers are too long");
            if (c == '\n') return malformed("a line does not end with CR LF");
            if (c == '\r') state_ = state_ == State::extension ? State::size_lf : State::trailer_lf;
            return {};
        case State::size_lf:
            digits_ = 0;
            overhead_ = 0;
            return expect('\n', left_ > 0 ? State::data : State::trailer_start);
        case State::data_cr: return expect('\r', State::data_lf);
        case State::data_lf: return expect('\n', State::size);
        case State::trailer_start:
            state_ = c == '\r' ? State::end_lf : State::trailer;
            return c == '\n' ? Result<void>(malformed("a line does not end with CR LF")) : Result<void>{};
        case State::trailer_lf: return expect('\n', State::trailer_start);
        case State::end_lf: return expect('\n', State::done);
        case State::data:
        case State::done: break;
    }
    return malformed("bytes after its end");
}

}  // namespace millrace::http
