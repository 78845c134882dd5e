// What a node writes is for its own user alone: files 0600, folders 0700, whatever the umask of who started it.
#pragma once
#include <sys/types.h>

#include <string>

#include "core/result.h"

namespace millrace {

// From here on, for all that this process makes. Once, before there are threads.
void keep_files_private();
// Of who started this process: what the programs that it starts get. 022 where keep_files_private() was not called.
mode_t callers_umask();
// Takes from everybody else what an earlier version had left open to them.
Result<void> make_private(const std::string& folder);

}  // namespace millrace
