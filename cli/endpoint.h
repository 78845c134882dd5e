// Which cluster to talk to: flag, environment, configuration file, default, in this order.
#pragma once
#include <string>
#include <string_view>

#include "cli/context.h"
#include "http/message.h"

namespace millrace::cli {

struct ProxyAddress {
    http::Endpoint endpoint;
    std::string origin;  // for messages: "--endpoint", "MILLRACE_ENDPOINT", a file name, "the default"
};

// An empty flag counts as not given, an empty variable as not set. An address that cannot be read names its origin.
// The value of "KEY: VALUE" in ~/.config/millrace/config.yaml (XDG_CONFIG_HOME), and the file's name; both empty: no such file, no such line.
struct Setting {
    std::string value;
    std::string file;
};
Setting setting(const Console& console, std::string_view key);

Result<ProxyAddress> find_proxy(const std::string& flag, const Console& console);

}  // namespace millrace::cli
