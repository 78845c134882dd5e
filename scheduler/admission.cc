#include "scheduler/admission.h"

#include <algorithm>

#include "core/names.h"
#include "core/secrets.h"
#include "wire/node_key.h"

namespace millrace::scheduler {
namespace {

constexpr std::size_t kNodeIdBytesMax = 128;

}  // namespace

Result<void> Admission::invite(const std::string& token, std::int64_t expires_unix_ns, std::int64_t now_unix_ns) {
    std::erase_if(record_.invitations, [&](const Invitation& invitation) { return invitation.expires_unix_ns <= now_unix_ns; });
    if (record_.invitations.size() >= kInvitationsMax) {
        return fail(Code::overloaded, std::to_string(kInvitationsMax) + " invitations have not expired yet; use one of them, or wait");
    }
    record_.invitations.push_back({sha256(token), expires_unix_ns, "", ""});
    return {};
}

Result<void> Admission::join(const std::string& token, const std::string& node, const std::string& key, std::int64_t now_unix_ns) {
    if (node.empty() || node.size() > kNodeIdBytesMax || !is_utf8(node) || node.find('\0') != node.npos || !wire::is_node_key(key)) {
        return fail(Code::invalid_argument, "a node joins with its 'id' and its public 'key'");
    }
    const std::string hash = sha256(token);
    const auto found = std::ranges::find_if(record_.invitations, [&](const Invitation& known) { return equal_secrets(known.token_hash, hash); });
    if (found == record_.invitations.end()) return fail(Code::permission, "its invitation is unknown");
    if (found->expires_unix_ns <= now_unix_ns) return fail(Code::permission, "its invitation has expired");
    if (!found->node.empty()) {
        const auto known = record_.keys.find(node);
        const bool is_again = found->node == node && found->key == key && known != record_.keys.end() && known->second == key;
        if (is_again) return {};
        return fail(Code::permission, "its invitation was used already, by node " + found->node + " with key " + wire::fingerprint(found->key));
    }
    MILLRACE_TRY(add(node, key));
    found->node = node;
    found->key = key;
    return {};
}

Result<void> Admission::add(const std::string& node, const std::string& key) {
    const auto known = record_.keys.find(node);
    if (known != record_.keys.end() && known->second != key) {
        return fail(Code::conflict, "a node with the id " + node + " and another key belongs to the cluster; if it is this one that lost its key: "
            "millrace cluster revoke " + node);
    }
    for (const auto& [other, taken] : record_.keys) {
        if (other != node && taken == key) {
            return fail(Code::conflict, "node " + other + " has this very key; a folder that was copied is not another node: give this one an empty folder");
        }
    }
    record_.keys[node] = key;
    return {};
}

Result<void> Admission::revoke(const std::string& node) {
    if (record_.keys.erase(node) == 0) return fail(Code::not_found, "no key of a node '" + node + "' is allowed; see: millrace cluster show");
    return {};
}

}  // namespace millrace::scheduler
