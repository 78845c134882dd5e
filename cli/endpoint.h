// Which cluster to talk to: flag, environment, configuration file, default, in this order.
#pragma once
#include <string>

#include "cli/context.h"
#include "http/message.h"

namespace millrace::cli {

struct ProxyAddress {
    http::Endpoint endpoint;
    std::string origin;  // for messages: "--endpoint", "MILLRACE_ENDPOINT", a file name, "the default"
};

// An empty flag counts as not given, an empty variable as not set. An address that cannot be read names its origin.
Result<ProxyAddress> find_proxy(const std::string& flag, const Console& console);

}  // namespace millrace::cli
