#include "auth/doorkeeper.h"

#include "auth/node_proof.h"
#include "core/log.h"
#include "core/secrets.h"

namespace millrace::auth {
namespace {

using http::Access;

constexpr std::size_t kRememberedMax = 4096;  // tokens that were verified
constexpr std::size_t kPathSaid = 200;

std::int64_t now_unix() { return unix_now_ns() / 1'000'000'000; }

std::optional<std::string_view> bearer(const http::Request& request) {
    constexpr std::string_view kScheme = "Bearer ";
    const auto header = request.headers.find("Authorization");
    if (!header || header->size() < kScheme.size() || !http::equal_without_case(header->substr(0, kScheme.size()), kScheme)) return std::nullopt;
    return header->substr(kScheme.size());
}

// Of an object elsewhere, as copies name it in the query: "ais/@#/BUCKET/OBJECT".
std::string bucket_of_uname(std::string_view uname) {
    constexpr std::string_view kPrefix = "ais/@#/";
    if (!uname.starts_with(kPrefix)) return "";  // the handler refuses it
    uname.remove_prefix(kPrefix.size());
    return std::string(uname.substr(0, uname.find('/')));
}

}  // namespace

Result<void> check_access(const Caller& caller, const http::Router::Entry& route, const http::PathParameters& parameters, const Query& query) {
    const auto bucket = parameters.find("bucket");
    const bool has_bucket = bucket != parameters.end();
    switch (route.access) {
        case Access::anyone:
        case Access::by_body: return {};
        case Access::read: return has_bucket ? caller.check(Right::read, bucket->second) : Result<void>{};
        case Access::write:
            if (const auto copy = query.find("object_to"); copy && has_bucket) {
                MILLRACE_TRY(caller.check(Right::read, bucket->second));
                return caller.check(Right::write, bucket_of_uname(*copy));
            }
            return has_bucket ? caller.check(Right::write, bucket->second) : caller.check_everywhere(Right::write);
        case Access::run: return caller.check_somewhere(Right::run);
        case Access::manage: return caller.check_everywhere(Right::admin);
        case Access::node:
            if (caller.is_node()) return {};
            return fail(Code::permission, "this is for nodes of the cluster among themselves");
        case Access::instance: return fail(Code::permission, "servers of transforms have a door of their own for this");
    }
    return fail(Code::internal, "a route that is for nobody");
}

std::optional<http::Refusal> Doorkeeper::admit(http::Request& request, const http::Router::Entry& route, const http::PathParameters& parameters) {
    if (const auto refused = pages_.refuse(request, route.access)) return refuse(request, refused->error, refused->status);
    if (route.access == Access::anyone) return std::nullopt;
    const Found caller = identify(request);
    if (!caller) return refuse(request, caller.error(), caller.error().code == Code::unavailable ? 503 : 401);
    request.caller = *caller;
    const Result<void> allowed = check_access(**caller, route, parameters, request.query);
    if (!allowed) return refuse(request, allowed.error(), 403);
    return std::nullopt;
}

// Who runs the cluster may have to know, too: one is in the log, of as many as may come.
http::Refusal Doorkeeper::refuse(const http::Request& request, const Error& error, int status) {
    if (const auto unsaid = refused_.turn()) {
        log::warn("a request was refused", {{"peer", request.peer}, {"method", request.method}, {"path", request.path.substr(0, kPathSaid)},
                                            {"status", status}, {"error", error}, {"others_since", *unsaid}});
    }
    return {error, status};
}

void Doorkeeper::set_revoked(Revocations revoked) {
    const std::scoped_lock lock(mutex_);
    revoked_ = std::make_shared<const Revocations>(std::move(revoked));
}

Doorkeeper::Found Doorkeeper::identify(const http::Request& request) {
    if (const auto proof = request.headers.find(kProofHeader)) {
        if (request.is_secure && request.peer_node.empty()) {
            return fail(Code::permission, "nodes show a certificate of the cluster's authority: this one did not (tls_certificate in its configuration)");
        }
        MILLRACE_TRY_ASSIGN(const std::string node, check_proof(*nodes_, *proof, request.method, request.target, now_unix()));
        return std::make_shared<const Caller>(Caller::node(node));
    }
    if (!tokens_) {
        static const auto kAnybody = std::make_shared<const Caller>(Caller::anybody());
        return kAnybody;
    }
    if (const auto token = bearer(request)) return by_token(*token);
    MILLRACE_TRY_ASSIGN(const std::optional<std::string> subject, check_ticket(*nodes_, request.method, request.target, now_unix()));
    if (subject) return std::make_shared<const Caller>(Caller::sent(*subject));
    return fail(Code::permission, "this cluster wants to know who you are: send a token ('Authorization: Bearer TOKEN'; the command: MILLRACE_TOKEN or "
                                  "MILLRACE_TOKEN_FILE); 'millrace auth issue' makes one");
}

std::shared_ptr<const Doorkeeper::Verified> Doorkeeper::remembered(const std::string& digest) const {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(digest);
    return found == known_.end() ? nullptr : found->second;
}

Doorkeeper::Found Doorkeeper::by_token(std::string_view text) {
    if (tokens_->refresh()) {
        const std::scoped_lock lock(mutex_);
        known_.clear();  // one that was signed with a key which is gone
    }
    const std::string digest = sha256(text);
    std::shared_ptr<const Verified> verified = remembered(digest);
    if (!verified) {
        MILLRACE_TRY_ASSIGN(Token token, verify_token(text, *tokens_->keys(), now_unix()));
        auto caller = std::make_shared<const Caller>(Caller::user(token.subject, token.grants));
        verified = std::make_shared<const Verified>(std::move(token), std::move(caller));
        const std::scoped_lock lock(mutex_);
        if (known_.size() >= kRememberedMax) known_.clear();
        known_.insert_or_assign(digest, verified);
    }
    MILLRACE_TRY(check_time(verified->token, now_unix()));
    std::shared_ptr<const Revocations> revoked;
    {
        const std::scoped_lock lock(mutex_);
        revoked = revoked_;
    }
    if (revoked->include(verified->token)) {
        return fail(Code::permission, "the token " + verified->token.id + " of " + verified->token.subject + " was revoked: ask for another");
    }
    return verified->caller;
}

}  // namespace millrace::auth
