// The secrets by which nodes know each other's HTTP requests. All come from one that the proxy keeps:
//
//   key of target T          HMAC(cluster secret, "target" 0 T)      known to the proxy and T
//   key of A towards T       HMAC(key of T, "from" 0 A)              known to the proxy, T and A; A is empty for the proxy
//
// So T checks anybody with its own key alone, and nobody can speak as another. Targets are told theirs with the map, each its own
// (wire::Node::key), on the control plane. Any thread.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace::auth {

inline constexpr std::size_t kNodeKeyBytes = 32;

std::string key_of_target(std::string_view cluster_secret, std::string_view target);
std::string key_towards(std::string_view key_of_target, std::string_view from);

// What one node knows of them.
class NodeKeys {
public:
    virtual ~NodeKeys() = default;
    virtual std::string self() const = 0;  // empty: the proxy
    // Whether this node knows its own, by which others prove themselves to it. A target does once it has joined.
    virtual bool knows_own() const = 0;
    // By which `from` proves itself to this node; empty: it has no business here, or is not known (yet).
    virtual std::string key_from(std::string_view from) const = 0;
    // By which this node proves itself to a target; empty: not known (yet).
    virtual std::string key_to(std::string_view target) const = 0;
};

class KeysOfProxy final : public NodeKeys {
public:
    explicit KeysOfProxy(std::string cluster_secret) : secret_(std::move(cluster_secret)) {}
    std::string self() const override { return ""; }
    bool knows_own() const override { return true; }
    std::string key_from(std::string_view) const override { return ""; }
    std::string key_to(std::string_view target) const override { return key_towards(key_of_target(secret_, target), ""); }
    // What `from` is told of `target`; of itself, its own key.
    std::string told_to(std::string_view from, std::string_view target) const {
        const std::string key = key_of_target(secret_, target);
        return from == target ? key : key_towards(key, from);
    }

private:
    const std::string secret_;
};

class KeysOfTarget final : public NodeKeys {
public:
    explicit KeysOfTarget(std::string self) : self_(std::move(self)) {}
    std::string self() const override { return self_; }
    bool knows_own() const override;
    std::string key_from(std::string_view from) const override;
    std::string key_to(std::string_view target) const override;
    // own: of this target. to: by which it speaks to each of the others; who is not there is none of the cluster any more.
    void set(std::string own, std::map<std::string, std::string, std::less<>> to);

private:
    const std::string self_;
    mutable std::mutex mutex_;
    std::string own_;                                    // guarded by mutex_
    std::map<std::string, std::string, std::less<>> to_;  // guarded by mutex_
};

}  // namespace millrace::auth
