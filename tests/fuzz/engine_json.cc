// What a container engine answers.
#include "runtime/engine_json.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 7) {
        case 0: (void)runtime::engine_json::version(bytes); return;
        case 1: (void)runtime::engine_json::image(bytes); return;
        case 2: (void)runtime::engine_json::created_id(bytes); return;
        case 3: (void)runtime::engine_json::state(bytes); return;
        case 4: (void)runtime::engine_json::ids(bytes); return;
        case 5: (void)runtime::engine_json::pull_failure(bytes); return;
        default: (void)runtime::engine_json::error(500, bytes);
    }
}
