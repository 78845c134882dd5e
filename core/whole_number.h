// The one reader of whole numbers. Pure.
#pragma once
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace millrace {

// Of the whole text: digits, before which there may be a '-' where Number has a sign. nullopt for anything else, and beyond Number's range.
template <std::integral Number>
std::optional<Number> parse_whole(std::string_view text, int base = 10) {
    Number number = 0;
    const char* end = text.data() + text.size();
    const auto [stopped_at, failure] = std::from_chars(text.data(), end, number, base);
    return failure == std::errc{} && stopped_at == end ? std::optional(number) : std::nullopt;
}

}  // namespace millrace
