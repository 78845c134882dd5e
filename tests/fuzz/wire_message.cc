// Messages between nodes: what is believed can be said again, and means the same.
#include "core/check.h"
#include "tests/fuzz/fuzz.h"
#include "wire/codec.h"

using namespace millrace;

void fuzz(std::string_view bytes) {
    const auto message = wire::decode(bytes);
    if (!message) return;
    const std::string said = wire::encode(*message);
    const auto again = wire::decode(said);
    MILLRACE_CHECK(again && wire::encode(*again) == said);
}
