// Decides about every request before its handler sees it: who makes it, and whether somebody like that may ask for such a thing at all. What more it
// takes, by what is in its body, handlers ask of caller_of(request). Any thread.
//
// In order: pages of others (http/page_guard.h, 403 and 415); who it is, by a proof of a node, a ticket, or a token (401); what the
// route is for (http/access.h), with the bucket that its path names (403).
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "auth/caller.h"
#include "auth/key_file.h"
#include "auth/node_keys.h"
#include "auth/revocations.h"
#include "core/seldom.h"
#include "http/page_guard.h"
#include "http/router.h"

namespace millrace::auth {

class Doorkeeper {
public:
    // tokens: null where nobody is asked who they are.
    Doorkeeper(http::PageGuard pages, std::shared_ptr<KeyFile> tokens, std::shared_ptr<const NodeKeys> nodes)
        : pages_(std::move(pages)), tokens_(std::move(tokens)), nodes_(std::move(nodes)) {}

    // Sets Request::caller, or refuses.
    std::optional<http::Refusal> admit(http::Request& request, const http::Router::Entry& route, const http::PathParameters& parameters);
    void set_revoked(Revocations revoked);
    bool asks() const { return tokens_ != nullptr; }

private:
    struct Verified {
        Verified(Token read, std::shared_ptr<const Caller> whose) : token(std::move(read)), caller(std::move(whose)) {}
        Token token;
        std::shared_ptr<const Caller> caller;
    };
    using Found = Result<std::shared_ptr<const Caller>>;
    Found identify(const http::Request& request);
    Found by_token(std::string_view text);
    std::shared_ptr<const Verified> remembered(const std::string& digest) const;
    http::Refusal refuse(const http::Request& request, const Error& error, int status);

    const http::PageGuard pages_;
    const std::shared_ptr<KeyFile> tokens_;
    const std::shared_ptr<const NodeKeys> nodes_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<const Verified>> known_;       // guarded by mutex_; by SHA-256 of the token
    std::shared_ptr<const Revocations> revoked_ = std::make_shared<Revocations>();  // guarded by mutex_
    Seldom refused_{std::chrono::seconds(1)};                                      // requests, in the log
};

// Whether the route's class lets this caller in, whatever is in the body. parameters: "bucket", where the path names one.
Result<void> check_access(const Caller& caller, const http::Router::Entry& route, const http::PathParameters& parameters, const Query& query);

}  // namespace millrace::auth
