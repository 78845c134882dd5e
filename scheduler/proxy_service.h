// A proxy, whole: its database, the control plane, and HTTP. Everything happens on one control loop.
#pragma once
#include <memory>
#include <string>

#include "core/config.h"
#include "core/result.h"

namespace millrace::scheduler {

class ProxyService {
public:
    // Opens the database and recovers; errors say what to do. Blocks.
    static Result<std::unique_ptr<ProxyService>> start(const ProxyConfig& config);
    ~ProxyService();  // stops when stop() was not called

    // "http://host:port", also written to <dir>/endpoint.
    const std::string& endpoint() const;
    void stop();

private:
    struct Impl;
    explicit ProxyService(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::scheduler
