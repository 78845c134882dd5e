#include "runtime/object_uname.h"

#include "core/uri.h"

namespace millrace::runtime {
namespace {
constexpr std::string_view kPrefix = "ais/@#/";
}

std::string object_uname(std::string_view bucket, std::string_view name) {
    return std::string(kPrefix).append(bucket).append("/").append(name);
}

std::optional<ObjectUri> parse_uname(std::string_view uname) {
    if (!uname.starts_with(kPrefix)) return std::nullopt;
    uname.remove_prefix(kPrefix.size());
    const std::size_t slash = uname.find('/');
    if (slash == uname.npos || slash == 0 || slash + 1 == uname.size()) return std::nullopt;
    return ObjectUri{std::string(uname.substr(0, slash)), std::string(uname.substr(slash + 1))};
}

std::string escape_segment(std::string_view text) { return percent_encode(text, "$&+:=@"); }

}  // namespace millrace::runtime
