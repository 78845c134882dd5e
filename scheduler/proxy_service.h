// A proxy, whole: its database, the control plane, and HTTP. Everything happens on one control loop.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "http/router.h"
#include "scheduler/proxy_core.h"

namespace millrace::scheduler {

// Adds paths of its own to the proxy's router. Its handlers run on the control loop; what it returns lives as long as they do.
using Surface = std::function<std::shared_ptr<void>(ProxyCore& core, http::Router& router)>;

class ProxyService {
public:
    // Opens the database and recovers; errors say what to do. Blocks. accept_loss: see state::KvOptions.
    static Result<std::unique_ptr<ProxyService>> start(const ProxyConfig& config, const std::vector<Surface>& surfaces, bool accept_loss = false);
    ~ProxyService();  // stops when stop() was not called

    // "http://host:port", also written to <dir>/endpoint.
    const std::string& endpoint() const;
    // All that it answers over HTTP.
    std::vector<http::Router::Entry> routes() const;
    // By which it proves itself to targets.
    std::shared_ptr<const auth::NodeKeys> node_keys() const;
    // Why it cannot go on and is to be stopped: its store takes no more writes. Any thread.
    std::optional<std::string> failure() const;
    void stop();

private:
    struct Impl;
    explicit ProxyService(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::scheduler
