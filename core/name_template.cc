#include "core/name_template.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "core/names.h"
#include "core/whole_number.h"

namespace millrace {
namespace {

constexpr std::size_t kGroupsMax = 8;
constexpr std::size_t kDigitsMax = 20;  // of the greatest number there is

// Places in a name, its end included.
class Places {
public:
    void add(std::size_t place) { bits_[place / 64] |= std::uint64_t{1} << place % 64; }
    bool has(std::size_t place) const { return (bits_[place / 64] >> place % 64 & 1) != 0; }
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (std::size_t word = 0; word < bits_.size(); ++word) {
            for (std::uint64_t left = bits_[word]; left != 0; left &= left - 1) visit(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
        }
    }

private:
    std::array<std::uint64_t, kObjectNameBytesMax / 64 + 1> bits_{};
};

// The lengths of those that the text begins with: byte for byte it narrows down the sorted choices, as one does in a dictionary.
template <class Ends>
void match_choice(const std::vector<std::string>& choices, std::string_view text, const Ends& ends) {
    auto first = choices.begin();
    auto last = choices.end();
    for (std::size_t length = 0; first != last; ++length) {
        if (first->size() == length) {
            ends(length);
            ++first;
        }
        if (length == text.size()) return;
        const auto byte_at = [length](const std::string& choice) { return static_cast<unsigned char>(choice[length]); };
        const auto same = std::ranges::equal_range(first, last, static_cast<unsigned char>(text[length]), {}, byte_at);
        first = same.begin();
        last = same.end();
    }
}

template <class Range, class Ends>
void match_range(const Range& range, std::string_view text, const Ends& ends) {
    std::uint64_t value = 0;
    for (std::size_t digits = 1; digits <= std::min(text.size(), kDigitsMax); ++digits) {
        const char c = text[digits - 1];
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (c < '0' || c > '9' || value > (UINT64_MAX - digit) / 10) return;
        value = value * 10 + digit;
        const bool padding_fits = range.width > 0 ? digits == range.width || (digits > range.width && text[0] != '0') : digits == 1 || text[0] != '0';
        const bool inside = value >= range.first && value <= range.last && (value - range.first) % range.step == 0;
        if (padding_fits && inside) ends(digits);
    }
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
        std::ranges::sort(part.choices);
        const auto doubled = std::ranges::unique(part.choices);
        part.choices.erase(doubled.begin(), doubled.end());
        return part;
    }
    const std::vector<std::string> ends = split(group, "..");
    part.kind = Part::Kind::range;
    std::vector<std::optional<std::uint64_t>> numbers;
    for (const std::string& end : ends) numbers.push_back(parse_whole<std::uint64_t>(end));
    const bool is_range = (ends.size() == 2 || ends.size() == 3) && std::ranges::all_of(numbers, [](const auto& number) { return number.has_value(); });
    if (is_range) {
        part.first = *numbers[0];
        part.last = *numbers[1];
        if (numbers.size() == 3) part.step = *numbers[2];
    }
    if (!is_range || part.step == 0 || part.first > part.last) {
        return bad(whole, "'{" + std::string(group) + "}' is not a range such as {000..099} or {1..9..2}");
    }
    const auto padded = [](const std::string& text) { return text.size() > 1 && text[0] == '0'; };
    if (padded(ends[0]) || padded(ends[1])) part.width = std::max(ends[0].size(), ends[1].size());
    return part;
}

Result<NameTemplate> NameTemplate::parse(std::string_view text) {
    if (text.size() > kObjectNameBytesMax) return fail(Code::invalid_argument, "a template of more than 1024 bytes is not read");
    NameTemplate parsed;
    std::string_view rest = text;
    const auto literal = [&](std::string_view piece) {
        if (!piece.empty()) parsed.parts_.push_back({.literal = std::string(piece)});
    };
    const std::size_t at = text.rfind('@');
    const auto count = at == text.npos || text.find('{') != text.npos ? std::nullopt : parse_whole<std::uint64_t>(text.substr(at + 1));
    if (count) {
        if (*count == 0) return bad(text, "'@0' selects nothing");
        literal(text.substr(0, at));
        parsed.parts_.push_back({.kind = Part::Kind::range, .first = 0, .last = *count - 1});
        rest = "";
    }
    std::size_t groups = 0;
    while (!rest.empty()) {
        const std::size_t open = rest.find('{');
        literal(rest.substr(0, open));
        if (open == rest.npos) break;
        const std::size_t close = rest.find('}', open);
        if (close == rest.npos) return bad(text, "a '{' is not closed");
        if (rest.find('{', open + 1) < close) return bad(text, "has a '{' inside of a group; write the alternatives out, as in {a1,a2,b}");
        if (++groups > kGroupsMax) return bad(text, "has more than 8 groups");
        MILLRACE_TRY_ASSIGN(Part part, parse_group(rest.substr(open + 1, close - open - 1), text));
        parsed.parts_.push_back(std::move(part));
        rest.remove_prefix(close + 1);
    }
    parsed.open_ended_ = parsed.parts_.size() <= 1 && groups == 0 && !count;
    if (!parsed.parts_.empty() && parsed.parts_.front().kind == Part::Kind::literal) parsed.prefix_ = parsed.parts_.front().literal;
    return parsed;
}

bool NameTemplate::matches(std::string_view name) const {
    if (open_ended_) return name.starts_with(prefix_);
    if (name.size() > kObjectNameBytesMax) return false;
    Places places;
    places.add(0);
    for (const Part& part : parts_) {
        Places next;
        places.for_each([&](std::size_t place) {
            const std::string_view rest = name.substr(place);
            const auto ends = [&](std::size_t length) { next.add(place + length); };
            switch (part.kind) {
                case Part::Kind::literal:
                    if (rest.starts_with(part.literal)) ends(part.literal.size());
                    break;
                case Part::Kind::choice: match_choice(part.choices, rest, ends); break;
                case Part::Kind::range: match_range(part, rest, ends); break;
            }
        });
        places = next;
    }
    return places.has(name.size());
}

}  // namespace millrace
