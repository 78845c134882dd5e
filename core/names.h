// Which names and sizes are allowed, and the text that says why one is not. Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace {

inline constexpr std::size_t kObjectNameBytesMax = 1024;
// Limits that every node keeps: what one takes, all can apply.
inline constexpr std::uint64_t kSmallObjectBytesMax = 4ull << 20;  // contents above are always files
inline constexpr std::size_t kSpecBytesMax = 1 << 20;              // of a transform's specification, also in canonical form

bool is_utf8(std::string_view text);

// UTF-8, 1 to 1,024 bytes, no NUL, no control characters, no empty, "." or ".." path component (so no leading, trailing
// or doubled slash): no name can leave a store's folders.
Result<void> validate_object_name(std::string_view name);
// 1 to 64 of letters, digits, '.', '_', '-', starting with a letter or a digit.
Result<void> validate_bucket_name(std::string_view name);
// AIStore's rule: 6 to 32 of [a-z0-9-], starting and ending with a letter or a digit.
Result<void> validate_transform_name(std::string_view name);

struct ObjectUri {
    std::string bucket;
    std::string object;  // empty when the URI names a bucket
};
// "ais://bucket[/object]"; the object part is taken literally, without percent-decoding. Validates the bucket only.
Result<ObjectUri> parse_object_uri(std::string_view text);

}  // namespace millrace
