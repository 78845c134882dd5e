// A command as people type it, taken apart into argv. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace::spec {

// Splits into words as a POSIX shell does: blanks, single and double quotes, backslashes. A command that needs more of a
// shell than that (pipes, variables, globs, assignments, built-in commands…) becomes {"/bin/sh", "-c", text}. The
// placeholders {socket} and {port} are ordinary text.
Result<std::vector<std::string>> split_command(std::string_view text);

// Whether the words are a text for a shell, as split_command makes them.
bool is_shell_text(const std::vector<std::string>& argv);

// A command that can be started: not empty, no NUL, at most 64 KiB.
Result<void> check_command(const std::vector<std::string>& argv);

// The text that split_command takes apart into exactly these words.
std::string command_text(const std::vector<std::string>& argv);

}  // namespace millrace::spec
