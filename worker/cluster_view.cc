#include "worker/cluster_view.h"

#include "core/placement.h"

namespace millrace::worker {

void ClusterView::recall(wire::ClusterMap map) {
    map.version = 0;
    for (wire::Node& node : map.targets) node.online = false;
    update(map);
}

void ClusterView::update(const wire::ClusterMap& map) {
    auto fresh = std::make_shared<Snapshot>();
    fresh->version = map.version;
    for (const wire::Node& node : map.targets) {
        fresh->targets.emplace_back(node.id);
        fresh->nodes.emplace(TargetId(node.id), node);
    }
    const std::lock_guard lock(mutex_);
    if (map.version >= current_->version) current_ = std::move(fresh);
}

std::shared_ptr<const ClusterView::Snapshot> ClusterView::snapshot() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

Result<TargetId> ClusterView::owner(std::string_view object_name) const {
    const auto now = snapshot();
    if (now->targets.empty()) return fail(Code::unavailable, "this target has not joined a proxy yet; it does so by itself when the proxy runs");
    return owner_of(object_name, now->targets);
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

std::uint64_t ClusterView::version() const { return snapshot()->version; }

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
