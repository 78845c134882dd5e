// Bytes as they are, over TCP or a Unix socket: a transport that adds nothing to the system's calls.
#pragma once
#include <memory>

#include "http/transport.h"

namespace millrace::http {

// See MakeTransport.
std::unique_ptr<Transport> make_plain_transport(const Executor& executor, Descriptor socket);

// A TCP peer that has gone without a word, its machine or the way to it, is noticed after two minutes of silence. Set on a listening
// socket, all that it accepts have it.
void keep_alive(int socket);

}  // namespace millrace::http
