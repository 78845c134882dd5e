#include "core/uri.h"

#include <algorithm>

namespace millrace {
namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string percent_encode(std::string_view text, std::string_view keep) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c) || keep.find(c) != keep.npos) {
            encoded += c;
        } else {
            encoded += '%';
            encoded += kHex[static_cast<unsigned char>(c) >> 4];
            encoded += kHex[static_cast<unsigned char>(c) & 15];
        }
    }
    return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return fail(Code::invalid_argument, "a '%' is not followed by two hex digits");
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

std::string encode_object_path(std::string_view name) { return percent_encode(name, "/"); }

namespace {

// As forms and most clients write a query: '+' is a space.
Result<std::string> decode_in_query(std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decode(spaced);
}

}  // namespace

Result<Query> Query::parse(std::string_view text) {
    constexpr std::size_t kItemsMax = 1000;
    Query query;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('&'), text.size());
        const std::string_view pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        MILLRACE_TRY_ASSIGN(std::string key, decode_in_query(pair.substr(0, equals)));
        MILLRACE_TRY_ASSIGN(std::string value, decode_in_query(equals < pair.size() ? pair.substr(equals + 1) : ""));
        if (query.items_.size() == kItemsMax) return fail(Code::invalid_argument, "a query has at most " + std::to_string(kItemsMax) + " parts");
        query.add(std::move(key), std::move(value));
    }
    return query;
}

std::optional<std::string_view> Query::find(std::string_view key) const {
    const auto found = std::ranges::find(items_, key, [](const auto& item) -> std::string_view { return item.first; });
    if (found == items_.end()) return std::nullopt;
    return found->second;
}

std::string Query::get(std::string_view key, std::string_view fallback) const {
    return std::string(find(key).value_or(fallback));
}

void Query::add(std::string key, std::string value) { items_.emplace_back(std::move(key), std::move(value)); }

std::string Query::text() const {
    std::string joined;
    for (const auto& [key, value] : items_) {
        if (!joined.empty()) joined += '&';
        joined += percent_encode(key) + '=' + percent_encode(value);
    }
    return joined;
}

}  // namespace millrace
