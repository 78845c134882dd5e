// A folder for Unix sockets whose paths fit into the 108 bytes that the kernel allows.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace::runtime {

inline constexpr std::size_t kSocketPathBytesMax = 100;

// The instance's own folder if its path is short and plain (it may be put into a command line), else a new one in /tmp.
Result<std::string> make_socket_folder(const std::string& instance_folder);

// Whether this is a folder that make_socket_folder made in /tmp for this user, and not whatever somebody wrote there.
bool is_short_socket_folder(const std::string& folder);

}  // namespace millrace::runtime
