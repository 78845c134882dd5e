// The environment of a child, and the folder it works in. Nothing of our own environment reaches it but PATH, HOME and LANG.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "runtime/instance.h"

namespace millrace::runtime {

// NAME=value, the later of two equal names in `extra` or the specification winning.
std::vector<std::string> child_environment(const TransformSpec& spec, const std::string& folder,
                                           const std::vector<std::pair<std::string, std::string>>& extra);

// PATH of the child, for find_program.
std::string child_path(const TransformSpec& spec);

// Makes the folder and those above it, for this user alone.
Result<void> make_folder(const std::string& folder);

// The working folder of the transform: the specification's, which must exist, or <instance_folder>/work, which is made.
Result<std::string> make_work_folder(const TransformSpec& spec, const std::string& instance_folder);

// Removes a folder and all that is in it; what cannot be removed is logged.
void remove_folder(const std::string& folder);

}  // namespace millrace::runtime
