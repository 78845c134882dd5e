#include "auth/node_proof.h"

#include "auth/caller.h"
#include "core/base64.h"
#include "core/clock.h"
#include "core/secrets.h"
#include "core/whole_number.h"

namespace millrace::auth {
namespace {

constexpr std::string_view kTicket = "ticket=";
constexpr std::int64_t kClocksOff = 60;  // one that is made later than that has a life that nobody gave it

Error refused(std::string why) { return fail(Code::permission, std::move(why)); }

std::string mac_of(std::string_view key, std::string_view kind, std::string_view method, std::string_view target, std::string_view expires,
                   std::string_view subject) {
    std::string text;
    for (const std::string_view part : {kind, method, target, expires, subject}) text.append(part) += '\n';
    return base64url_encode(hmac_sha256(key, text));
}

std::string name_of(std::string_view from) { return from.empty() ? "the proxy" : "target " + std::string(from.substr(0, 100)); }

// What is wrong with the time, where a request is by somebody whose clock may be another.
Result<void> check_times(std::string_view what, std::string_view from, std::string_view expires, std::int64_t seconds, std::int64_t now_unix) {
    const auto until = parse_whole<std::int64_t>(expires);
    if (!until) return refused(std::string(what) + " cannot be read");
    if (*until >= now_unix && *until <= now_unix + seconds + kClocksOff) return {};
    return refused(std::string(what) + " of " + name_of(from) + " is out of time: it is good until " + rfc3339(*until * 1'000'000'000) + ", and here it is " +
                   rfc3339(now_unix * 1'000'000'000) + "; ask again, and set the clocks of the nodes right if that does not help");
}

std::string_view take(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

Result<void> check_mac(const NodeKeys& keys, std::string_view from, std::string_view mac, std::string_view kind, std::string_view method,
                       std::string_view target, std::string_view expires, std::string_view subject) {
    if (!keys.knows_own()) return fail(Code::unavailable, "this target has not joined its proxy yet: it does not know other nodes");
    const std::string key = keys.key_from(from);
    if (key.empty()) return refused(name_of(from) + " is none of this cluster's, as far as this node knows");
    if (!equal_secrets(mac, mac_of(key, kind, method, target, expires, subject))) return refused("this is no " + std::string(kind) + " for this request");
    return {};
}

}  // namespace

std::string make_proof(const NodeKeys& keys, std::string_view to, std::string_view method, std::string_view target, std::int64_t now_unix) {
    const std::string key = keys.key_to(to);
    if (key.empty()) return "";
    const std::string expires = std::to_string(now_unix + kProofSeconds);
    const std::string from = keys.self().empty() ? "proxy:" : keys.self();
    return from + " " + expires + " " + mac_of(key, "proof", method, target, expires, "");
}

Result<std::string> check_proof(const NodeKeys& keys, std::string_view proof, std::string_view method, std::string_view target, std::int64_t now_unix) {
    std::string_view from = take(proof, ' ');
    if (from == "proxy:") from = "";
    const std::string_view expires = take(proof, ' ');
    MILLRACE_TRY(check_mac(keys, from, proof, "proof", method, target, expires, ""));
    MILLRACE_TRY(check_times("the proof", from, expires, kProofSeconds, now_unix));
    return std::string(from);
}

std::string with_ticket(const NodeKeys& keys, std::string_view to, std::string_view method, std::string target, std::string_view subject,
                        std::int64_t now_unix) {
    const std::string key = keys.key_to(to);
    if (key.empty()) return target;
    const std::string expires = std::to_string(now_unix + kTicketSeconds);
    const std::string mac = mac_of(key, "ticket", method, target, expires, subject);
    const char separator = target.find('?') == target.npos ? '?' : '&';
    return target + separator + std::string(kTicket) + base64url_encode(keys.self()) + "." + expires + "." + base64url_encode(subject) + "." + mac;
}

std::string redirected(const http::Request& request, const NodeKeys& keys, std::string_view to, std::string target) {
    const Caller& caller = caller_of(request);
    if (caller.kind() != Caller::Kind::user && caller.kind() != Caller::Kind::sent) return target;
    return with_ticket(keys, to, request.method, std::move(target), caller.subject(), unix_now_ns() / 1'000'000'000);
}

Result<std::optional<std::string>> check_ticket(const NodeKeys& keys, std::string_view method, std::string_view target, std::int64_t now_unix) {
    const std::size_t at = target.rfind(kTicket);
    if (at == target.npos || at == 0 || (target[at - 1] != '?' && target[at - 1] != '&')) return std::nullopt;
    std::string_view ticket = target.substr(at + kTicket.size());
    const std::string_view before = target.substr(0, at - 1);
    const auto from = base64url_decode(take(ticket, '.'));
    const std::string_view expires = take(ticket, '.');
    const auto subject = base64url_decode(take(ticket, '.'));
    if (!from || !subject) return refused("the ticket cannot be read");
    MILLRACE_TRY(check_mac(keys, *from, ticket, "ticket", method, before, expires, *subject));
    MILLRACE_TRY(check_times("the ticket", *from, expires, kTicketSeconds, now_unix));
    return std::optional(*subject);
}

}  // namespace millrace::auth
