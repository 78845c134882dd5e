// JSON from the cluster, which is not trusted to have the members or the types it should. Pure.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::cli {

// One whole JSON value of at most 64 levels; an empty text is null.
Result<nlohmann::json> parse_json(std::string_view text);

// The member, or null if `doc` is no object or lacks it.
const nlohmann::json& member(const nlohmann::json& doc, const char* key);
// A member of the wanted type, or the fallback. A negative, huge or fractional number becomes the nearest count.
std::string text_of(const nlohmann::json& doc, const char* key, std::string_view fallback = "");
std::uint64_t count_of(const nlohmann::json& doc, const char* key);
double number_of(const nlohmann::json& doc, const char* key, double fallback = 0);
bool flag_of(const nlohmann::json& doc, const char* key);

}  // namespace millrace::cli
