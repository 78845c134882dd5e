// Documents from the cluster. Pure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "core/json_members.h"
#include "core/result.h"

namespace millrace::cli {

// One whole JSON value of at most 64 levels; an empty text is null.
Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace millrace::cli
