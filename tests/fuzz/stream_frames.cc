// Answers of a stream:// transform: it makes no difference in which pieces they arrive.
#include "core/check.h"
#include "runtime/stream_frames.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;
using runtime::AnswerFrame;

namespace {

struct Outcome {
    bool failed = false;
    std::string seen;
};

Outcome decode(std::string_view bytes, std::size_t piece) {
    Outcome outcome;
    std::size_t arrived = 0;
    std::string_view rest = bytes.substr(0, 0);
    while (arrived < bytes.size()) {
        arrived = std::min(arrived + piece, bytes.size());
        const auto offset = static_cast<std::size_t>(rest.data() - bytes.data());
        rest = bytes.substr(offset, arrived - offset);
        for (;;) {
            const std::size_t before = rest.size();
            const auto frame = runtime::take_answer(rest);
            if (!frame) {
                outcome.failed = true;
                return outcome;
            }
            if (!*frame) break;
            MILLRACE_CHECK(before - rest.size() == runtime::kFrameHeaderBytes + (*frame)->payload.size());
            MILLRACE_CHECK((*frame)->payload.size() <= runtime::kFramePayloadBytesMax);
            outcome.seen += std::to_string((*frame)->id) + ((*frame)->is_last ? "!" : ":") + ((*frame)->may_retry ? "r" : "") + std::string((*frame)->payload);
        }
    }
    return outcome;
}

}  // namespace

void fuzz(std::string_view bytes) {
    const std::size_t piece = 1 + take_byte(bytes);
    const Outcome whole = decode(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Outcome pieces = decode(bytes, piece);
    MILLRACE_CHECK(whole.failed == pieces.failed && whole.seen == pieces.seen);
}
