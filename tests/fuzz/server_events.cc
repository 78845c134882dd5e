// Event streams: it makes no difference in which pieces they arrive.
#include "cli/server_events.h"
#include "core/check.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

constexpr std::size_t kEventBytesMax = 256;

struct Outcome {
    bool failed = false;
    std::string seen;
};

Outcome parse(std::string_view bytes, std::size_t piece) {
    Outcome outcome;
    cli::ServerEventParser parser(kEventBytesMax);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        const auto events = parser.feed(bytes.substr(0, piece));
        if (!events) {
            outcome.failed = true;
            return outcome;
        }
        for (const cli::ServerEvent& event : *events) {
            MILLRACE_CHECK(event.data.size() <= kEventBytesMax);
            outcome.seen += event.name + "=" + event.data + ";";
        }
    }
    return outcome;
}

}  // namespace

void fuzz(std::string_view bytes) {
    const std::size_t piece = 1 + take_byte(bytes);
    const Outcome whole = parse(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Outcome pieces = parse(bytes, piece);
    MILLRACE_CHECK(whole.failed == pieces.failed);
    if (!whole.failed) MILLRACE_CHECK(whole.seen == pieces.seen);
}
