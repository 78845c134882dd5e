// Members of JSON that somebody else wrote, which is not trusted to have the members or the types it should: the member of the wanted type,
// or the fallback. Pure.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace millrace {

// The member, or null if `doc` is no object or lacks it.
const nlohmann::json& member(const nlohmann::json& doc, const char* key);
// The same, but an empty array where it is none.
const nlohmann::json& items_of(const nlohmann::json& doc, const char* key);
std::string text_of(const nlohmann::json& value);
std::string text_of(const nlohmann::json& doc, const char* key, std::string_view fallback = "");
// A negative, huge or fractional number becomes the nearest count.
std::uint64_t count_of(const nlohmann::json& doc, const char* key);
double number_of(const nlohmann::json& doc, const char* key, double fallback = 0);
bool flag_of(const nlohmann::json& doc, const char* key, bool fallback = false);

// Compact. Names and messages that are not UTF-8 get replacement characters.
std::string json_text(const nlohmann::json& document);

}  // namespace millrace
