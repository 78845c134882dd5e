#include "http/query_number.h"

#include "core/whole_number.h"

namespace millrace::http {

Result<std::optional<std::uint64_t>> query_number(const Query& query, std::string_view name, std::uint64_t least, std::uint64_t most) {
    const std::string_view text = query.find(name).value_or("");
    if (text.empty()) return std::optional<std::uint64_t>();
    const auto number = parse_whole<std::uint64_t>(text);
    if (number && *number >= least && *number <= most) return number;
    const std::string upwards = most == UINT64_MAX ? " up" : " to " + std::to_string(most);
    return fail(Code::invalid_argument, std::string(name) + " must be a whole number from " + std::to_string(least) + upwards + ", not '" +
                                            std::string(text.substr(0, 100)) + "'");
}

}  // namespace millrace::http
