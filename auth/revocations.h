// Tokens that are refused although they have not expired. Pure; what nodes are told with the catalog (wire::Catalog).
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "auth/token.h"

namespace millrace::auth {

class Revocations {
public:
    // Of entries that have a token or a subject, and issued_until_unix.
    template <class Entries>
    static Revocations of(const Entries& entries) {
        Revocations all;
        for (const auto& entry : entries) {
            if (!entry.token.empty()) all.revoke_token(entry.token);
            if (!entry.subject.empty()) all.revoke_subject(entry.subject, entry.issued_until_unix);
        }
        return all;
    }
    void revoke_token(std::string id) { tokens_.insert(std::move(id)); }
    // Those that were issued until then.
    void revoke_subject(std::string subject, std::int64_t issued_until_unix) { subjects_[std::move(subject)] = issued_until_unix; }

    bool include(const Token& token) const {
        const auto subject = subjects_.find(token.subject);
        return tokens_.contains(token.id) || (subject != subjects_.end() && token.issued_unix <= subject->second);
    }

private:
    std::set<std::string> tokens_;
    std::map<std::string, std::int64_t> subjects_;
};

}  // namespace millrace::auth
