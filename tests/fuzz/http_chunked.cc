// The chunked transfer coding: it makes no difference in which pieces it arrives, nor how much room there is for the data.
#include <algorithm>
#include <string>
#include <vector>

#include "core/check.h"
#include "http/chunked.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

struct Outcome {
    bool failed = false;
    bool done = false;
    std::string data;
    std::size_t consumed = 0;
};

Outcome decode(std::string_view bytes, std::size_t piece, std::size_t room) {
    Outcome outcome;
    http::ChunkedDecoder decoder;
    std::vector<std::byte> buffer(room);
    while (!bytes.empty() && !decoder.done()) {
        const std::string_view input = bytes.substr(0, piece);
        const auto step = decoder.decode(input, buffer);
        if (!step) {
            outcome.failed = true;
            return outcome;
        }
        MILLRACE_CHECK(step->consumed <= input.size() && step->produced <= room);
        MILLRACE_CHECK(step->consumed > 0);
        outcome.data.append(reinterpret_cast<const char*>(buffer.data()), step->produced);
        outcome.consumed += step->consumed;
        bytes.remove_prefix(step->consumed);
    }
    outcome.done = decoder.done();
    return outcome;
}

}  // namespace

void fuzz(std::string_view bytes) {
    const std::size_t piece = 1 + take_byte(bytes);
    const std::size_t room = 1 + take_byte(bytes);
    const Outcome whole = decode(bytes, std::max<std::size_t>(bytes.size(), 1), bytes.size() + 1);
    const Outcome pieces = decode(bytes, piece, room);
    MILLRACE_CHECK(whole.failed == pieces.failed);
    if (whole.failed) return;
    MILLRACE_CHECK(whole.done == pieces.done && whole.data == pieces.data && whole.consumed == pieces.consumed);
}
