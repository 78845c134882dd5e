// A filter that is a pipe of a shell: sh tells only how its last command ended, and a result of nothing then looks like a good one.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace millrace::runtime {

// Instead of a shell's text with a pipe in it: the same text for a shell that fails when any command of a pipe does; nullopt for
// other words. bash, where bash is its file, as much like sh as it can be; empty: /bin/sh, which then fails so if it knows how to.
std::optional<std::vector<std::string>> failing_pipeline(const std::vector<std::string>& argv, const std::string& bash);

}  // namespace millrace::runtime
