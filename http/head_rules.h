// What a server refuses before anybody acts on a request, and a client of a reply: heads of which two readers could think differently, and
// bodies whose end nobody could be sure of (RFC 9112, 3.2 and 6). Pure. What is no HTTP at all, http/head_decoder.h refuses.
#pragma once
#include <optional>

#include "http/head_decoder.h"
#include "http/refusal.h"

namespace millrace::http {

// framing: of the body behind the head. nullopt: there is nothing against the request.
std::optional<Refusal> refusal_of(const Head& head, Framing framing);

// Fails with Code::invalid_argument.
Result<void> check_reply(const Head& head);

}  // namespace millrace::http
