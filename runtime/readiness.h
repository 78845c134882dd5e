// Whether a server is ready for objects: it answers its health path, or greets on its stream.
#pragma once
#include "runtime/instance.h"
#include "runtime/server_facts.h"

namespace millrace::runtime {

// One try, on the caller's executor. A status of 200 to 399 is ready, as with Kubernetes' probes.
Task<Result<void>> probe_server(const TransformSpec& spec, const ServerFacts& server, Instant deadline);

}  // namespace millrace::runtime
