// Whether a failure looks like something that a sandbox refused, in words for the user. Pure.
#pragma once
#include <string>
#include <string_view>

#include "runtime/sandbox.h"
#include "runtime/spawn.h"

namespace millrace::runtime {

// " (it may have been kept from opening a file …)", to be put behind how it ended; empty: it looks like nothing of that kind. last_words: the
// end of its standard error. The kernel tells of refusals only to the program, so it is a "may".
std::string sandbox_words(const spec::SandboxSpec& opened, const ExitStatus& end, std::string_view last_words);

// For a status: what is in force, "off".
std::string sandbox_text(const Sandbox* sandbox);

}  // namespace millrace::runtime
