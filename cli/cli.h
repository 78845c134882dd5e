// The client verbs of the `millrace` command: buckets, objects, transforms, jobs. Talks HTTP to a proxy, and for objects to
// the targets it names.
#pragma once
#include <string>
#include <vector>

#include "cli/context.h"

namespace millrace::cli {

// The command line as main() gets it. The exit status: cli/context.h lists them. Some verbs read standard input.
int run(int argc, char** argv);

// The same against given streams and environment; `args` without the program's name.
int run(Console& console, const std::vector<std::string>& args);

}  // namespace millrace::cli
