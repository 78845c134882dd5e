// Completion scripts for shells, made from the grammar's words. Pure.
#pragma once
#include <string>
#include <vector>

#include "cli/arguments.h"

namespace millrace::cli {

// `shell` is "bash", "zsh" or "fish".
std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands);

}  // namespace millrace::cli
