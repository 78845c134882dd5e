// Errors of TLS as error codes, with texts that say what to do.
#pragma once
#include <boost/system/error_code.hpp>

namespace millrace::http {

// Of a certificate that is not believed: X509_V_ERR_….
boost::system::error_code certificate_error(long verify_result);
// What OpenSSL has noted last on this thread, and forgets by this.
boost::system::error_code last_tls_error();
// Before a call whose failure is asked for afterwards. Costs nothing where there is none.
void forget_tls_errors();
// The peer ended the connection without saying so.
boost::system::error_code cut_short();

// Of a server: its client has sent a request without TLS.
bool is_plain_http(const boost::system::error_code& error);

}  // namespace millrace::http
