// A chain of transforms as people write it: "a >> b >> c". Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// The names in order, without blanks around them; one name for a single transform. Names are not checked.
std::vector<std::string> chain_of(std::string_view text);

}  // namespace millrace::cli
