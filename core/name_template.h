// A set of names written as a brace template: "shard-{000..099}.tar", "{a,b}/x{1..9..2}", or "p@100" for p0 … p99. Pure.
//
// The work for a name is bounded by its length and that of the template, whatever both say: a match is a walk over the places in the
// name that the parts so far can end at, each place taken once.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace {

class NameTemplate {
public:
    // A text without braces and without "@N" at its end is a plain prefix, as in AIStore.
    static Result<NameTemplate> parse(std::string_view text);

    bool matches(std::string_view name) const;
    // What every matching name starts with: where a scan begins and ends.
    const std::string& prefix() const { return prefix_; }

private:
    struct Part {
        enum class Kind { literal, range, choice } kind = Kind::literal;
        std::string literal{};
        std::vector<std::string> choices{};  // sorted, each once
        std::uint64_t first = 0, last = 0, step = 1;
        std::size_t width = 0;  // digits of a zero-padded range, 0 when not padded
    };
    static Result<Part> parse_group(std::string_view group, std::string_view whole);

    std::vector<Part> parts_;
    std::string prefix_;
    bool open_ended_ = false;  // a plain prefix
};

}  // namespace millrace
