// AIStore's unique object names ("ais/@#/bucket/name") and the path segments that carry them. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/names.h"

namespace millrace::runtime {

std::string object_uname(std::string_view bucket, std::string_view name);
// Bucket and object; nullopt for what is not one, such as another provider or a namespace.
std::optional<ObjectUri> parse_uname(std::string_view uname);
// As Go's url.PathEscape, which AIStore uses: '/' becomes %2F and '#' %23, '@' stays.
std::string escape_segment(std::string_view text);

}  // namespace millrace::runtime
