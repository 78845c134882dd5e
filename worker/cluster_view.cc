#include "worker/cluster_view.h"

#include "auth/node_proof.h"
#include "core/clock.h"

namespace millrace::worker {

void ClusterView::recall(wire::ClusterMap map) {
    map.version = 0;
    for (wire::Node& node : map.targets) node.online = false;
    update(map);
}

void ClusterView::update(const wire::ClusterMap& map) {
    auto fresh = std::make_shared<Snapshot>();
    std::vector<TargetId> targets;
    std::string own;
    std::map<std::string, std::string, std::less<>> others;
    for (const wire::Node& node : map.targets) {
        if (node.id == self_.str()) {
            own = node.key;
        } else {
            others.emplace(node.id, node.key);
        }
        targets.emplace_back(node.id);
        fresh->nodes.emplace(TargetId(node.id), node);
    }
    fresh->placement = Placement(map.version, std::move(targets));
    const std::lock_guard lock(mutex_);
    if (map.version < current_->placement.epoch()) return;
    current_ = std::move(fresh);
    keys_->set(std::move(own), std::move(others));
}

void ClusterView::prove(http::ClientRequest& request, const TargetId& target) const {
    std::string proof = auth::make_proof(*keys_, target.str(), request.method, request.target, unix_now_ns() / 1'000'000'000);
    if (!proof.empty()) request.headers.set(auth::kProofHeader, std::move(proof));
}

std::shared_ptr<const ClusterView::Snapshot> ClusterView::snapshot() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

Result<Placement> ClusterView::placement() const {
    const auto now = snapshot();
    if (now->placement.empty()) return fail(Code::unavailable, "this target has not joined a proxy yet; it does so by itself when the proxy runs");
    return now->placement;
}

Result<http::Endpoint> ClusterView::endpoint(const TargetId& target) const {
    const auto now = snapshot();
    const auto found = now->nodes.find(target);
    if (found == now->nodes.end() || !found->second.online || found->second.endpoint.empty()) {
        return fail(Code::unavailable, "target " + target.str() + " is offline; start it and this goes on by itself");
    }
    return http::Endpoint::parse(found->second.endpoint);
}

void ClusterView::set_proxy(http::Endpoint endpoint) {
    const std::lock_guard lock(mutex_);
    proxy_ = std::move(endpoint);
}

Result<http::Endpoint> ClusterView::proxy() const {
    const std::lock_guard lock(mutex_);
    if (!proxy_) return fail(Code::unavailable, "this target has not joined a proxy yet; it does so by itself when the proxy runs");
    return *proxy_;
}

void ClusterView::set_joined() {
    is_refused_ = false;
    joined_ = true;
}

void ClusterView::set_refused(std::string reason) {
    const std::lock_guard lock(mutex_);
    refused_ = std::move(reason);
    is_refused_ = true;
    joined_ = false;
}

Result<void> ClusterView::may_change() const {
    if (!is_refused_) return {};
    const std::lock_guard lock(mutex_);
    return fail(Code::unavailable, "the proxy refuses this target, so it takes no changes: " + refused_);
}

Result<void> ClusterView::may_take_outputs() const {
    MILLRACE_TRY(may_change());
    if (joined_) return {};
    return fail(Code::unavailable, "target " + self_.str() + " has not joined its proxy yet");
}

}  // namespace millrace::worker
