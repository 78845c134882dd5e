// Which of a transform's limits a failure looks like, in words for the user. Pure.
#pragma once
#include <string>
#include <string_view>

#include "runtime/spawn.h"
#include "spec/transform_spec.h"

namespace millrace::runtime {

inline constexpr int kShellSignalBase = 128;  // a shell's exit status when a command of it was ended by a signal: this and its number

// " (its cpu_time limit is 2s)", to be put behind how it ended; empty: it looks like none. last_words: the end of its standard error.
// The kernel tells of memory, descriptors and processes only to the program, so for these it is a "perhaps".
std::string limit_words(const spec::Limits& limits, const ExitStatus& end, std::string_view last_words);

}  // namespace millrace::runtime
