#include "aistore/message.h"


#include "core/json.h"
#include "core/whole_number.h"
#include "http/message.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {

Error wrong_type(std::string_view key, const char* wanted) {
    return fail(Code::invalid_argument, "'" + std::string(key) + "' must be " + wanted);
}

}  // namespace

const json* Fields::find(std::string_view key) const {
    if (!object_.is_object()) return nullptr;
    auto found = object_.find(key);
    if (found == object_.end()) {
        for (found = object_.begin(); found != object_.end() && !http::equal_without_case(found.key(), key);) ++found;
    }
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Result<std::string> Fields::text(std::string_view key) const {
    const json* value = find(key);
    if (value == nullptr) return std::string();
    if (!value->is_string()) return wrong_type(key, "a text");
    return value->get<std::string>();
}

Result<bool> Fields::flag(std::string_view key) const {
    const json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return wrong_type(key, "true or false");
    return value->get<bool>();
}

Result<std::int64_t> Fields::number(std::string_view key) const {
    const json* value = find(key);
    if (value == nullptr) return 0;
    if (value->is_number_integer()) return value->get<std::int64_t>();
    const auto number = value->is_string() ? parse_whole<std::int64_t>(value->get_ref<const std::string&>()) : std::nullopt;
    if (!number) return wrong_type(key, "a whole number");
    return *number;
}

Result<ActionMessage> parse_action(const std::string& body) {
    ActionMessage message;
    if (body.empty()) return message;
    MILLRACE_TRY_ASSIGN(const json document, parse_json(body));
    if (!document.is_object()) return fail(Code::invalid_argument, "the body must be a JSON object such as {\"action\":\"list\"}");
    const Fields fields(document);
    MILLRACE_TRY_ASSIGN(message.action, fields.text("action"));
    MILLRACE_TRY_ASSIGN(message.name, fields.text("name"));
    if (const json* value = fields.find("value")) message.value = *value;
    return message;
}

}  // namespace millrace::aistore
