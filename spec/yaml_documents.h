// The YAML (or JSON) documents of a text that nobody vouches for: bounded, and without exceptions. Pure.
#pragma once
#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::spec {

// At least one; documents without content are left out. Errors begin with the origin, and the line where there is one.
Result<std::vector<YAML::Node>> yaml_documents(const std::string& text, const std::string& origin);

}  // namespace millrace::spec
