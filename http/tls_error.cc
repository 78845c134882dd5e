#include "http/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace millrace::http {
namespace {

constexpr int kCutShort = 0x7fff;  // no reason of OpenSSL's

class CertificateCategory final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "certificate"; }
    std::string message(int result) const override {
        switch (result) {
            case X509_V_ERR_CERT_HAS_EXPIRED: return "its certificate has expired: issue another ('millrace ca issue'), or set this machine's clock right";
            case X509_V_ERR_CERT_NOT_YET_VALID: return "its certificate begins later than now by the clock of this machine: set the clocks right";
            case X509_V_ERR_HOSTNAME_MISMATCH:
            case X509_V_ERR_IP_ADDRESS_MISMATCH:
                return "its certificate is for other names than the one it was asked by: use one of those, or issue it with --host";
            case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
            case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            case X509_V_ERR_CERT_SIGNATURE_FAILURE:
                return "its certificate is signed by an authority that is not known here: name that authority's certificate (nodes: tls_ca; the command: "
                       "MILLRACE_CA or SSL_CERT_FILE)";
            default: return std::string("its certificate is not believed: ") + ::X509_verify_cert_error_string(result);
        }
    }
};

class TlsCategory final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "TLS"; }
    std::string message(int reason) const override {
        switch (reason) {
            case kCutShort: return "the peer ended the connection in the middle of TLS";
            case SSL_R_HTTP_REQUEST: return "the peer speaks http, not https";
            case SSL_R_WRONG_VERSION_NUMBER: return "the peer does not speak TLS: an http:// address may do";
            case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "the peer does not know the authority of this side's certificate";
            case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "the peer says that this side's certificate has expired";
            case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE: return "the peer does not believe this side's certificate; its log says why: its clock may be wrong";
            default: break;
        }
        const char* text = ::ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
        return text == nullptr ? "TLS failed" : std::string("TLS: ") + text;
    }
};

const CertificateCategory certificate_category;
const TlsCategory tls_category;

}  // namespace

boost::system::error_code certificate_error(long verify_result) { return {static_cast<int>(verify_result), certificate_category}; }

boost::system::error_code last_tls_error() {
    const unsigned long code = ::ERR_peek_last_error();
    ::ERR_clear_error();
    const int reason = ERR_GET_REASON(code);
    return {reason == 0 ? static_cast<int>(SSL_R_BAD_LENGTH) : reason, tls_category};
}

void forget_tls_errors() {
    if (::ERR_peek_error() != 0) ::ERR_clear_error();
}

bool is_plain_http(const boost::system::error_code& error) { return error == boost::system::error_code(SSL_R_HTTP_REQUEST, tls_category); }

boost::system::error_code cut_short() { return {kCutShort, tls_category}; }

}  // namespace millrace::http
