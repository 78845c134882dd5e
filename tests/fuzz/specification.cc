// Specifications of transforms, in YAML and JSON: what is taken is kept as a text that means the same.
#include "core/check.h"
#include "spec/transform_spec.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

void fuzz(std::string_view bytes) {
    const auto specs = spec::parse_specs(std::string(bytes), "the specification");
    if (!specs) return;
    for (const spec::ParsedSpec& parsed : *specs) {
        const auto again = spec::parse_spec(spec::to_json(parsed.spec), "its own words");
        MILLRACE_CHECK(again && again->spec == parsed.spec && spec::digest(again->spec) == spec::digest(parsed.spec));
    }
}
