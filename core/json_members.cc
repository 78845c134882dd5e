#include "core/json_members.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace millrace {

using nlohmann::json;

const json& member(const json& doc, const char* key) {
    static const json kNull;
    if (!doc.is_object()) return kNull;
    const auto found = doc.find(key);
    return found == doc.end() ? kNull : *found;
}

const json& items_of(const json& doc, const char* key) {
    static const json kNone = json::array();
    const json& value = member(doc, key);
    return value.is_array() ? value : kNone;
}

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::string text_of(const json& doc, const char* key, std::string_view fallback) {
    const json& value = member(doc, key);
    return value.is_string() ? value.get<std::string>() : std::string(fallback);
}

std::uint64_t count_of(const json& doc, const char* key) {
    const json& value = member(doc, key);
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    const double number = value.is_number() ? value.get<double>() : 0;
    if (!(number > 0)) return 0;
    constexpr double kLimit = 18446744073709549568.0;  // the greatest double below 2^64
    return number >= kLimit ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(number);
}

double number_of(const json& doc, const char* key, double fallback) {
    const json& value = member(doc, key);
    return value.is_number() ? value.get<double>() : fallback;
}

bool flag_of(const json& doc, const char* key, bool fallback) {
    const json& value = member(doc, key);
    return value.is_boolean() ? value.get<bool>() : fallback;
}

std::string json_text(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace millrace
