// How a job names its outputs: extensions mapped, put on or taken off, a prefix put in front. Pure.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace {

// What the names of sources are that get one output name: stem, and then this extension.
struct RivalNames {
    std::string stem;       // with the dot, if there is an extension
    std::string extension;  // in any case, if the rule says so

    std::string name() const { return stem + extension; }
};

struct RenameRule {
    // Old to new, without the dot in front; either may be of several parts ("tar.gz"). An empty old one: what no other entry
    // fits gets the new one behind its name. An empty new one: the old one goes.
    std::map<std::string, std::string> ext{};
    std::string prepend{};
    bool any_case = false;  // of the old extensions: "JPG" and "Jpg" are mapped as "jpg" is

    // Code::invalid_argument for what can never give a valid name, and for entries of which one is never used.
    Result<void> validate() const;

    // The longest old extension that the last path component ends with is mapped; what is left of that component has
    // something other than dots (".gz" has no extension). Then prepend is put in front, with no delimiter added.
    std::string apply(std::string_view source) const;
    // Whether an entry fits.
    bool touches(std::string_view source) const;
    // The other sources that would get the same output name; with any_case `source` may be among them. All have the placement
    // key of `source`, so one target can tell whether two of its objects collide.
    std::vector<RivalNames> rivals(std::string_view source) const;
    // Whether two different sources can ever get the same name.
    bool can_collide() const { return !ext.empty(); }

private:
    // Of the source: where its stem ends, without the dot, and the entry that fits.
    struct Fit {
        std::size_t stem = 0;
        const std::string* to = nullptr;  // null: none fits
    };
    Fit fit(std::string_view source) const;
};

// Letters of ASCII only.
bool same_but_for_case(std::string_view a, std::string_view b);

}  // namespace millrace
