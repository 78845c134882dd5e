// Which node may speak with which key, as the control plane's socket asks for every connection and every message. Any thread.
#pragma once
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace millrace::wire {

class AllowedKeys {
public:
    // All of them anew, public keys by node. What was taken off holds from the next message on.
    void set(const std::map<std::string, std::string>& keys) {
        const std::lock_guard lock(mutex_);
        keys_ = keys;
        all_.clear();
        for (const auto& [node, key] : keys_) all_.insert(key);
    }
    // It is some node's.
    bool contains(const std::string& key) const {
        const std::lock_guard lock(mutex_);
        return all_.contains(key);
    }
    bool is_of(const std::string& key, const std::string& node) const {
        const std::lock_guard lock(mutex_);
        const auto found = keys_.find(node);
        return found != keys_.end() && found->second == key;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::string> keys_;  // guarded by mutex_
    std::set<std::string> all_;                // guarded by mutex_
};

}  // namespace millrace::wire
