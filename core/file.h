// Small files and folders of a node: made, written whole, read whole. Errors name the path and say what to do.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace {

// With its parents, for its own user only if it is new; success when it is there and can be written to.
Result<void> make_folder(const std::string& path);
// For its own user only. Atomically: to a temporary file, then renamed; on disk when this returns.
Result<void> write_file(const std::string& path, std::string_view content);
// The same where nothing lies yet; else Code::already_exists.
Result<void> write_new_file(const std::string& path, std::string_view content);
// At most bytes_max.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 16 << 20);

}  // namespace millrace
