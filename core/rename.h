// How a job names its outputs: extensions mapped, a prefix put in front. Pure.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

struct RenameRule {
    std::map<std::string, std::string> ext;  // without dots
    std::string prepend;

    // The last extension of the last path component is mapped ("a/b.tar.gz" has "gz"; ".gz" has none), then prepend is put
    // in front, with no delimiter added.
    std::string apply(std::string_view source) const;
    // The other sources that would get the same output name. All have the same placement key as `source`, so one target
    // can tell whether two of its objects collide.
    std::vector<std::string> rivals(std::string_view source) const;
    // Whether two different sources can ever get the same name.
    bool can_collide() const { return !ext.empty(); }
};

}  // namespace millrace
