#include "core/name_template.h"

#include <algorithm>
#include <charconv>

namespace millrace {
namespace {

constexpr std::size_t kGroupsMax = 8;  // bounds the backtracking of matches()

bool parse_number(std::string_view text, std::uint64_t& value) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

Error bad(std::string_view whole, std::string_view why) {
    return fail(Code::invalid_argument, "template '" + std::string(whole) + "': " + std::string(why));
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
    std::vector<std::string> pieces;
    for (;;) {
        const std::size_t end = text.find(separator);
        pieces.emplace_back(text.substr(0, end));
        if (end == text.npos) return pieces;
        text.remove_prefix(end + separator.size());
    }
}

}  // namespace

Result<NameTemplate::Part> NameTemplate::parse_group(std::string_view group, std::string_view whole) {
    Part part;
    if (group.find("..") == group.npos) {
        part.kind = Part::Kind::choice;
        part.choices = split(group, ",");
        return part;
    }
    const std::vector<std::string> ends = split(group, "..");
    part.kind = Part::Kind::range;
    const bool numbers = ends.size() <= 3 && ends.size() >= 2 && parse_number(ends[0], part.first) && parse_number(ends[1], part.last) &&
                         (ends.size() == 2 || parse_number(ends[2], part.step));
    if (!numbers || part.step == 0 || part.first > part.last) {
        return bad(whole, "'{" + std::string(group) + "}' is not a range such as {000..099} or {1..9..2}");
    }
    const auto padded = [](const std::string& text) { return text.size() > 1 && text[0] == '0'; };
    if (padded(ends[0]) || padded(ends[1])) part.width = std::max(ends[0].size(), ends[1].size());
    return part;
}

Result<NameTemplate> NameTemplate::parse(std::string_view text) {
    NameTemplate parsed;
    std::string_view rest = text;
    const auto literal = [&](std::string_view piece) {
        if (!piece.empty()) parsed.parts_.push_back({.literal = std::string(piece)});
    };
    const std::size_t at = text.rfind('@');
    std::uint64_t count = 0;
    if (text.find('{') == text.npos && at != text.npos && parse_number(text.substr(at + 1), count)) {
        if (count == 0) return bad(text, "'@0' selects nothing");
        literal(text.substr(0, at));
        parsed.parts_.push_back({.kind = Part::Kind::range, .first = 0, .last = count - 1});
        rest = "";
    }
    std::size_t groups = 0;
    while (!rest.empty()) {
        const std::size_t open = rest.find('{');
        literal(rest.substr(0, open));
        if (open == rest.npos) break;
        const std::size_t close = rest.find('}', open);
        if (close == rest.npos) return bad(text, "a '{' is not closed");
        if (++groups > kGroupsMax) return bad(text, "has more than 8 groups");
        MILLRACE_TRY_ASSIGN(Part part, parse_group(rest.substr(open + 1, close - open - 1), text));
        parsed.parts_.push_back(std::move(part));
        rest.remove_prefix(close + 1);
    }
    parsed.open_ended_ = parsed.parts_.size() <= 1 && groups == 0 && count == 0;
    if (!parsed.parts_.empty() && parsed.parts_.front().kind == Part::Kind::literal) parsed.prefix_ = parsed.parts_.front().literal;
    return parsed;
}

bool NameTemplate::matches(std::string_view name) const {
    if (open_ended_) return name.starts_with(prefix_);
    return matches_from(0, name);
}

bool NameTemplate::matches_from(std::size_t index, std::string_view rest) const {
    if (index == parts_.size()) return rest.empty();
    const Part& part = parts_[index];
    switch (part.kind) {
        case Part::Kind::literal:
            return rest.starts_with(part.literal) && matches_from(index + 1, rest.substr(part.literal.size()));
        case Part::Kind::choice:
            return std::ranges::any_of(part.choices, [&](const std::string& choice) {
                return rest.starts_with(choice) && matches_from(index + 1, rest.substr(choice.size()));
            });
        case Part::Kind::range: break;
    }
    for (std::size_t digits = 1; digits <= std::min<std::size_t>(rest.size(), 20) && rest[digits - 1] >= '0' && rest[digits - 1] <= '9'; ++digits) {
        const bool padding_fits = part.width > 0 ? digits == part.width || (digits > part.width && rest[0] != '0')
                                                 : digits == 1 || rest[0] != '0';
        std::uint64_t value = 0;
        if (!padding_fits || !parse_number(rest.substr(0, digits), value)) continue;
        const bool inside = value >= part.first && value <= part.last && (value - part.first) % part.step == 0;
        if (inside && matches_from(index + 1, rest.substr(digits))) return true;
    }
    return false;
}

}  // namespace millrace
