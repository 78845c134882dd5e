#include "auth/node_keys.h"
#include "core/secrets.h"


namespace millrace::auth {
namespace {

std::string named(std::string_view what, std::string_view name) {
    std::string text(what);
    text += '\0';
    return text.append(name);
}

}  // namespace

std::string key_of_target(std::string_view cluster_secret, std::string_view target) { return hmac_sha256(cluster_secret, named("target", target)); }
std::string key_towards(std::string_view key_of_target, std::string_view from) { return hmac_sha256(key_of_target, named("from", from)); }

bool KeysOfTarget::knows_own() const {
    const std::scoped_lock lock(mutex_);
    return !own_.empty();
}

std::string KeysOfTarget::key_from(std::string_view from) const {
    const std::scoped_lock lock(mutex_);
    const bool is_known = from.empty() || (from != self_ && to_.contains(from));
    return is_known && !own_.empty() ? key_towards(own_, from) : "";
}

std::string KeysOfTarget::key_to(std::string_view target) const {
    const std::scoped_lock lock(mutex_);
    const auto found = to_.find(target);
    return found == to_.end() ? "" : found->second;
}

void KeysOfTarget::set(std::string own, std::map<std::string, std::string, std::less<>> to) {
    const std::scoped_lock lock(mutex_);
    own_ = std::move(own);
    to_ = std::move(to);
}

}  // namespace millrace::auth
