// A target, whole: storage, transforms, slices, HTTP, and its conversation with the proxy.
//
//   start: open the store → remove leftovers → listen on HTTP → start transforms → continue slices → say hello until welcomed
//   then:  heartbeats both ways; directives and catalogs in, slice and transform status out
//   stop:  in reverse
//
// Everything but the lanes' work happens on the control loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "http/router.h"

namespace millrace::worker {

class TargetService {
public:
    // Opens the store and recovers; errors say what to do. Blocks. accept_loss: see state::KvOptions.
    // join_code: what `millrace cluster invite` printed, to come into a cluster with it; empty for none.
    static Result<std::unique_ptr<TargetService>> start(const TargetConfig& config, bool accept_loss = false, const std::string& join_code = "");
    ~TargetService();  // stops when stop() was not called

    // "http://host:port", also written to <dir>/endpoint.
    const std::string& endpoint() const;
    // All that it answers over HTTP.
    std::vector<http::Router::Entry> routes() const;
    // Why it cannot go on and is to be stopped: its store takes no more writes. Any thread.
    std::optional<std::string> failure() const;
    // Says goodbye and stops everything in reverse order. Blocks for up to a few seconds.
    void stop();

private:
    struct Impl;
    explicit TargetService(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
