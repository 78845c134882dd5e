#include "worker/action_message.h"

#include "core/json.h"

namespace millrace::worker {

constexpr std::size_t kMessageBytesMax = 2 << 20;

nlohmann::json member(const nlohmann::json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    for (const auto& [name, value] : object.items()) {
        if (http::equal_without_case(name, key)) return value;
    }
    return nullptr;
}

Task<Result<ActionMessage>> read_action(http::Request& request) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kMessageBytesMax));
    MILLRACE_CO_TRY_ASSIGN(const nlohmann::json document, parse_json(body));
    const nlohmann::json action = member(document, "action");
    if (!action.is_string()) co_return fail(Code::invalid_argument, R"(the body must be JSON such as {"action": "…", "value": …})");
    const nlohmann::json name = member(document, "name");
    co_return ActionMessage{action.get<std::string>(), name.is_string() ? name.get<std::string>() : "", member(document, "value")};
}

}  // namespace millrace::worker
