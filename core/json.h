// JSON that somebody else wrote, parsed within bounds. The only parse of JSON that there is: what is nested deeper than any
// document of ours would end the process that parses, copies or prints it, as each takes the stack level by level.
//
// Included by sources, not by headers that everybody includes. Any thread.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/result.h"

namespace millrace {

struct JsonBounds {
    std::size_t levels_max = 64;          // of arrays and objects in each other
    std::size_t values_max = 2'000'000;   // each takes some 50 bytes and more
};

// Code::invalid_argument, with the place where there is one: "not valid JSON at byte 17". How long the text may be is a matter of
// who reads it.
Result<nlohmann::json> parse_json(std::string_view text, JsonBounds bounds = {});

// For who has something better to say than why it could not be parsed: null where it could not.
nlohmann::json json_or_null(std::string_view text);

}  // namespace millrace
