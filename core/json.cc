#include "core/json.h"

#include <algorithm>
#include <string>

namespace millrace {
namespace {

// Counts what a parser would build, without building it. Wrong only about texts that are no JSON.
Result<void> check_bounds(std::string_view text, const JsonBounds& bounds) {
    std::size_t levels = 0;
    std::size_t values = 1;
    for (std::size_t at = 0; at < text.size(); ++at) {
        switch (text[at]) {
            case '"':
                for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
                break;
            case '[':
            case '{':
                ++values;
                if (++levels > bounds.levels_max) {
                    return fail(Code::invalid_argument, "JSON nested more than " + std::to_string(bounds.levels_max) + " levels deep is not read");
                }
                break;
            case ']':
            case '}': levels -= levels > 0 ? 1 : 0; break;
            case ',': ++values; break;
            default: break;
        }
        if (values > bounds.values_max) {
            return fail(Code::too_large, "JSON of more than " + std::to_string(bounds.values_max) + " values is not read");
        }
    }
    return {};
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, JsonBounds bounds) {
    MILLRACE_TRY(check_bounds(text, bounds));
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error& failure) {
        return fail(Code::invalid_argument, "not valid JSON at byte " + std::to_string(failure.byte));
    } catch (const nlohmann::json::exception&) {
        return fail(Code::invalid_argument, "not valid JSON: a number is too large");
    }
}

nlohmann::json json_or_null(std::string_view text) {
    auto parsed = parse_json(text);
    return parsed ? *std::move(parsed) : nlohmann::json();
}

}  // namespace millrace
