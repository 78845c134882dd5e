// Heads of requests and replies: it makes no difference in which pieces they arrive, and requests that are let in mean one thing only.
#include "core/check.h"
#include "http/head_decoder.h"
#include "http/head_rules.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;
using http::HeadDecoder;

namespace {

struct Outcome {
    bool failed = false;
    bool done = false;
    http::Head head;
    http::Framing framing = http::Framing::none;
    std::uint64_t length = 0;
    std::size_t taken = 0;
};

Outcome decode(std::string_view bytes, HeadDecoder::Kind kind, bool without_body, std::size_t piece) {
    Outcome outcome;
    HeadDecoder decoder(kind, outcome.head, without_body);
    std::size_t arrived = 0;
    while (!decoder.done() && arrived < bytes.size()) {
        arrived = std::min(arrived + piece, bytes.size());
        const auto taken = decoder.take(bytes.substr(outcome.taken, arrived - outcome.taken));
        if (!taken) {
            outcome.failed = true;
            return outcome;
        }
        outcome.taken += *taken;
        MILLRACE_CHECK(outcome.taken <= arrived);
    }
    outcome.done = decoder.done();
    if (outcome.done) {
        outcome.framing = decoder.framing();
        outcome.length = decoder.length();
    }
    return outcome;
}

}  // namespace

void fuzz(std::string_view bytes) {
    const unsigned choice = take_byte(bytes);
    const auto kind = (choice & 1) != 0 ? HeadDecoder::Kind::request : HeadDecoder::Kind::reply;
    const bool without_body = (choice & 2) != 0;
    const Outcome whole = decode(bytes, kind, without_body, std::max<std::size_t>(bytes.size(), 1));
    const Outcome pieces = decode(bytes, kind, without_body, 1 + choice / 4);
    if (whole.failed || pieces.failed) return;  // which of the bytes it is that is wrong, depends on how far it sees
    MILLRACE_CHECK(whole.done == pieces.done);
    if (!whole.done) return;
    MILLRACE_CHECK(whole.taken == pieces.taken && whole.framing == pieces.framing && whole.length == pieces.length);
    MILLRACE_CHECK(whole.head.method == pieces.head.method && whole.head.target == pieces.head.target && whole.head.status == pieces.head.status);
    MILLRACE_CHECK(std::equal(whole.head.headers.begin(), whole.head.headers.end(), pieces.head.headers.begin(), pieces.head.headers.end()));
    if (kind == HeadDecoder::Kind::reply || http::refusal_of(whole.head, whole.framing)) return;
    // Of what is let in there is one host, and one way to tell where the body ends.
    MILLRACE_CHECK(whole.head.http_1_0 || whole.head.headers.find("Host"));
    MILLRACE_CHECK(whole.framing == http::Framing::chunked ? !whole.head.headers.find("Content-Length") : !whole.head.headers.find("Transfer-Encoding"));
}
