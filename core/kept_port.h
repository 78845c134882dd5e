// A node whose port is not chosen for it (0) keeps the one that it got: clients and other nodes go on finding it there after a restart.
// The port is written down in a file of the node's folder.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

#include "core/log.h"
#include "core/result.h"

namespace millrace {

// The port of the last time; 0 if there was none.
std::uint16_t read_kept_port(const std::string& file);
Result<void> keep_port(const std::string& file, std::uint16_t port);

// listen(port) on the configured port; where that is 0, on the one of the last time, and on any if somebody else has taken it.
template <class Listen>
auto listen_on_kept_port(const std::string& file, std::uint16_t configured, Listen listen) -> std::invoke_result_t<Listen, std::uint16_t> {
    const std::uint16_t kept = configured == 0 ? read_kept_port(file) : 0;
    if (kept == 0) return listen(configured);
    auto listening = listen(kept);
    if (listening) return listening;
    log::warn("port of the last time is taken; another one is used", {{"port", kept}, {"error", listening.error()}});
    return listen(0);
}

}  // namespace millrace
