// Files of objects whose paths are given to containers, which run as nobody: everything else of a node is closed to others.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace::worker {

// Lets anybody read the file who can come near it: through the folders above it, up to the first that can be entered already, which a container
// that uses paths sees as its own (runtime/container_server.cc). The folder of the node stays closed. Code::unavailable where the file is
// not at its path any more, or cannot be opened: another try takes what is there then. Any thread.
Result<void> hand_out(const std::string& file);

}  // namespace millrace::worker
