#include "cli/document.h"

#include "core/json.h"

namespace millrace::cli {

using nlohmann::json;

Result<json> parse_json(std::string_view text) {
    if (text.empty()) return json();
    auto parsed = millrace::parse_json(text);
    if (!parsed) return fail(Code::internal, "the reply is not the JSON that was expected; is the endpoint a Millrace proxy?");
    return parsed;
}

}  // namespace millrace::cli
