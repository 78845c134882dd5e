// Whether a program can be loaded once and forked at all: what its file and its environment say. Any thread.
#pragma once
#include <string>
#include <vector>

namespace millrace::runtime {

// Why not, in a few words: "is a script", "is not linked dynamically"; "" when nothing speaks against it. What shows only
// once it is loaded, the program says itself (`runtime/fork_server.h`).
std::string fork_obstacle(const std::string& file, const std::vector<std::string>& env, const std::string& library);

// The library to preload: beside our own executable, or in ../lib/millrace. "" if there is none.
std::string find_fork_library();

}  // namespace millrace::runtime
