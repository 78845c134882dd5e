// The environment of a child, and the folder it works in. Nothing of our own environment reaches it but PATH, HOME and LANG.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "runtime/instance.h"

namespace millrace::runtime {

// NAME=value, the later of two equal names in `extra` or the specification winning. folder: TMPDIR, and HOME where we have none.
std::vector<std::string> child_environment(const TransformSpec& spec, const std::string& folder,
                                           const std::vector<std::pair<std::string, std::string>>& extra);

// PATH of the child, for find_program.
std::string child_path(const TransformSpec& spec);

// Makes the folder and those above it, for this user alone.
Result<void> make_folder(const std::string& folder);

// The working folder that the specification names must exist.
Result<void> check_workdir(const TransformSpec& spec);

// Removes a folder and all that is in it, a large one by and by; what cannot be removed is logged.
void remove_folder(const std::string& folder);

}  // namespace millrace::runtime
