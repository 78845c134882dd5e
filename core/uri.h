// Percent-encoding and query strings (RFC 3986). Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace millrace {

// Encodes all but unreserved characters and those of `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = "");
// Fails on a '%' without two hex digits.
Result<std::string> percent_decode(std::string_view text);
// An object name as a URL path: encoded per component, '/' kept.
std::string encode_object_path(std::string_view name);

// The parameters after '?', in order, decoded ('+' is a space).
class Query {
public:
    static Result<Query> parse(std::string_view text);  // without the '?'
    std::optional<std::string_view> find(std::string_view key) const;
    std::string get(std::string_view key, std::string_view fallback = "") const;
    void add(std::string key, std::string value);
    // Encoded, without the '?'.
    std::string text() const;
    const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace millrace
