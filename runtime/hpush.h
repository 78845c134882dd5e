// How an object travels through a server in hpush mode: one PUT with the object as its body, the result in the reply.
#pragma once
#include <memory>

#include "http/client.h"
#include "runtime/instance.h"
#include "runtime/server.h"

namespace millrace::runtime {

// On the executor of the client. The reply goes to the sink as it arrives.
Task<RunResult> push_object(http::Client& client, const std::shared_ptr<ServerFacts>& server, const ObjectRun& object, Source& source,
                            Sink& sink);

}  // namespace millrace::runtime
