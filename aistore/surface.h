// AIStore's paths on a proxy: translations onto the services of scheduler/. AISTORE.md is the table of what maps to what.
#pragma once
#include <memory>

#include "http/router.h"
#include "scheduler/proxy_core.h"

namespace millrace::aistore {

// Adds the paths; the result owns their handlers, which run on the proxy's control loop.
std::shared_ptr<void> add_surface(scheduler::ProxyCore& core, http::Router& router);

}  // namespace millrace::aistore
