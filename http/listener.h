// A listening socket, TCP or Unix, made and bound. Any thread.
#pragma once
#include <cstdint>
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::http {

struct Listening {
    Descriptor socket;
    std::uint16_t port = 0;
};
// Code::unavailable when the port is taken, permission when it may not be used, invalid_argument for a host that is not
// this machine's.
Result<Listening> listen_tcp(const std::string& host, std::uint16_t port);
// A socket file that exists is replaced; any other file is Code::already_exists.
Result<Listening> listen_unix_socket(const std::string& path);

}  // namespace millrace::http
