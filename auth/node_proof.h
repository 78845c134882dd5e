// How a request shows that a node made it, or that a node sent its maker here. Both name method and target (path and query) and a time after
// which they are worth nothing, with a MAC by the key of who made them towards who is asked (node_keys.h).
//
//   proof     header   Millrace-Node: FROM EXPIRES MAC
//   ticket    last in the query of a redirect:   ticket=FROM.EXPIRES.SUBJECT.MAC   (SUBJECT in base64url)
//
// Times are Unix seconds. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/node_keys.h"
#include "core/result.h"
#include "http/server.h"

namespace millrace::auth {

inline constexpr std::int64_t kProofSeconds = 60;   // from its making until its request must have arrived
inline constexpr std::int64_t kTicketSeconds = 60;
inline constexpr std::string_view kProofHeader = "Millrace-Node";

// The header's value; empty while there is no key towards that target.
std::string make_proof(const NodeKeys& keys, std::string_view to, std::string_view method, std::string_view target, std::int64_t now_unix);
// Who made it: the target's id, empty for the proxy. Code::permission says why it is not believed; Code::unavailable while this node knows
// nobody.
Result<std::string> check_proof(const NodeKeys& keys, std::string_view proof, std::string_view method, std::string_view target, std::int64_t now_unix);

// The target with a ticket for it at its end; as it is while there is no key.
std::string with_ticket(const NodeKeys& keys, std::string_view to, std::string_view method, std::string target, std::string_view subject,
                        std::int64_t now_unix);
// Of a redirect of this request to a target: with a ticket, where its maker is somebody who was asked.
std::string redirected(const http::Request& request, const NodeKeys& keys, std::string_view to, std::string target);
// Of a target with a ticket: whose request it is. nullopt where there is none.
Result<std::optional<std::string>> check_ticket(const NodeKeys& keys, std::string_view method, std::string_view target, std::int64_t now_unix);

}  // namespace millrace::auth
