// Makes the servers of a transform, each one life: child processes or containers, as its specification says.
#pragma once
#include <functional>

#include "runtime/server.h"

namespace millrace::runtime {

// Any number of times, on the control executor. What it was made from must live as long as it does.
using ServerFactory = std::function<std::shared_ptr<Server>()>;

ServerFactory server_factory(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log,
                             const std::string& secret);

}  // namespace millrace::runtime
