// YAML (or JSON, also with what YAML does not know) that somebody else wrote, parsed within bounds and without exceptions. The only parse
// of YAML that there is.
//
// Bounded are the text, the levels, and what a reader meets that follows the aliases: a short text can stand for a large one.
// Any thread.
#pragma once
#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace millrace {

inline constexpr std::size_t kYamlBytesMax = 256 * 1024;  // at a microsecond and more for a byte

// Documents without content are left out. Errors begin with the origin, and the line where there is one.
Result<std::vector<YAML::Node>> yaml_documents(const std::string& text, const std::string& origin);

}  // namespace millrace
