// The cluster map as the data path sees it: who owns a name, and where that target is. Any thread.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "auth/node_keys.h"
#include "core/ids.h"
#include "core/placement.h"
#include "http/client.h"
#include "wire/messages.h"

namespace millrace::worker {

class ClusterView {
public:
    explicit ClusterView(TargetId self) : self_(std::move(self)), keys_(std::make_shared<auth::KeysOfTarget>(self_.str())) {}

    // Members as they were at the last start: owners are known, nobody is taken to be online.
    void recall(wire::ClusterMap map);
    void update(const wire::ClusterMap& map);
    // Who owns what, as far as this target knows by now; there is an owner for every name. Code::unavailable until a map is known:
    // nothing may be placed by guess.
    Result<Placement> placement() const;
    // Code::unavailable while the target is not known or offline.
    Result<http::Endpoint> endpoint(const TargetId& target) const;
    // Where the proxy that this target belongs to serves HTTP; Code::unavailable until it is known.
    void set_proxy(http::Endpoint endpoint);
    Result<http::Endpoint> proxy() const;
    // How this process stands with its proxy. It stays joined while the proxy is merely silent.
    void set_joined();
    void set_refused(std::string reason);
    // Code::unavailable while the proxy refuses this process: what it stored would be lost with the wrong folder.
    Result<void> may_change() const;
    // Of a job; Code::unavailable also before it has joined: it may be the wrong folder.
    Result<void> may_take_outputs() const;
    const TargetId& self() const { return self_; }

    // The secrets by which nodes know each other, as the newest map gave them.
    std::shared_ptr<const auth::NodeKeys> keys() const { return keys_; }
    // Shows the target that this node makes the request, whose method and target are final.
    void prove(http::ClientRequest& request, const TargetId& target) const;

private:
    struct Snapshot {
        Placement placement;
        std::map<TargetId, wire::Node> nodes;
    };
    std::shared_ptr<const Snapshot> snapshot() const;

    const TargetId self_;
    const std::shared_ptr<auth::KeysOfTarget> keys_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> current_ = std::make_shared<Snapshot>();  // guarded by mutex_
    std::optional<http::Endpoint> proxy_;                                     // guarded by mutex_
    std::string refused_;                                                     // guarded by mutex_
    std::atomic<bool> joined_ = false;
    std::atomic<bool> is_refused_ = false;
};

}  // namespace millrace::worker
