// Which nodes may take part in a cluster whose control plane is protected: their keys, and the invitations by which keys come in. Pure: handed the time.
//
// An invitation is a secret that is good once. Only its hash is kept. The node that used it may show it again, since the answer to it may have been lost.
#pragma once
#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::scheduler {

struct Invitation {
    std::string token_hash;          // SHA-256
    std::int64_t expires_unix_ns = 0;
    std::string node;                // who used it; empty: nobody has
    std::string key;                 // with which key
    MSGPACK_DEFINE_MAP(token_hash, expires_unix_ns, node, key)
};

// As it is written down.
struct AdmissionRecord {
    std::map<std::string, std::string> keys;  // public keys by node
    std::vector<Invitation> invitations;
    MSGPACK_DEFINE_MAP(keys, invitations)
};

class Admission {
public:
    static constexpr std::size_t kInvitationsMax = 256;  // open, or used and not expired

    explicit Admission(AdmissionRecord record = {}) : record_(std::move(record)) {}

    const AdmissionRecord& record() const { return record_; }
    const std::map<std::string, std::string>& keys() const { return record_.keys; }

    // token: the secret, whole. Code::overloaded when too many are open.
    Result<void> invite(const std::string& token, std::int64_t expires_unix_ns, std::int64_t now_unix_ns);
    // Code::permission, with what is wrong with the token for who may know: it is not to be told to who showed it. Code::conflict when the node has
    // another key, or another node this one.
    Result<void> join(const std::string& token, const std::string& node, const std::string& key, std::int64_t now_unix_ns);
    // Code::not_found. What the node used to come in is of no use to it any more.
    Result<void> revoke(const std::string& node);

private:
    Result<void> add(const std::string& node, const std::string& key);

    AdmissionRecord record_;
};

}  // namespace millrace::scheduler
