// The journal's blocks: where its records end does not depend on the pieces in which it is written.
#include "core/check.h"
#include "state/log_records.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

void fuzz(std::string_view bytes) {
    const std::size_t piece = 1 + take_byte(bytes);
    state::LogFollower whole;
    whole.append(bytes);
    state::LogFollower pieces;
    for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) pieces.append(rest.substr(0, piece));
    MILLRACE_CHECK(whole.boundary() == pieces.boundary());
}
