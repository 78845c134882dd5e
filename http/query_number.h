// Whole numbers in the query of a request. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/uri.h"

namespace millrace::http {

// nullopt where the query does not have it, or has it empty. What is no number, or one outside of these bounds, is Code::invalid_argument,
// which names it.
Result<std::optional<std::uint64_t>> query_number(const Query& query, std::string_view name, std::uint64_t least = 1, std::uint64_t most = UINT64_MAX);

}  // namespace millrace::http
