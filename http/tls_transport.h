// TLS over another transport, which carries its records: what it adds is encryption, and knowing whom one talks to.
//
// A clean end is the peer's close_notify alone: where the connection just ends, whoever sits in between may have cut it (RFC 8446, 6.1).
#pragma once
#include <memory>
#include <string>

#include "http/tls_context.h"
#include "http/transport.h"

namespace millrace::http {

// host: the name or address that a client has asked for, which the server's certificate must be for; empty: of a server.
std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<Transport> inner, const std::shared_ptr<TlsContext>& context, const std::string& host);

// Of a server with such files; null where it has no certificate. Errors as TlsContext::open().
Result<std::shared_ptr<TlsContext>> server_tls(const TlsFiles& files);
// For a server: TLS alone, or plain where that is null.
MakeTransport server_transport(std::shared_ptr<TlsContext> context);
// For a client.
MakeTransport tls_client_transport(std::shared_ptr<TlsContext> context, std::string host);

// How a certificate names a node of a cluster: as a URI among the names that it is for, "millrace:NAME".
inline constexpr std::string_view kNodeUri = "millrace:";

}  // namespace millrace::http
