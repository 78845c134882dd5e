// What TLS connections of this process rest on: its certificate, and whom it believes. OpenSSL does the work. Files are PEM.
//
// Files that change are read again, so certificates are exchanged without a restart; connections that there are go on. New ones that cannot be
// read are logged, and the old stay in force. Any thread.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "core/clock.h"
#include "core/result.h"

struct ssl_ctx_st;

namespace millrace::http {

struct TlsFiles {
    std::string certificate;  // of this process, with those between it and the authority, if there are any; empty: it shows none
    std::string key;          // of the certificate, readable by its user alone
    std::string authority;    // those whose certificates are believed; empty: SSL_CERT_FILE, else the system's
};

class TlsContext {
public:
    enum class Role { client, server };
    // Errors name the file and say what to do. A server asks for a certificate, and lets in who shows none.
    static Result<std::shared_ptr<TlsContext>> open(TlsFiles files, Role role);
    // A client's that does not look whom it talks to.
    static std::shared_ptr<TlsContext> without_verification();

    // The newest. Looks at the files once in a few seconds at most.
    std::shared_ptr<ssl_ctx_st> current();

private:
    TlsContext(TlsFiles files, Role role) : files_(std::move(files)), role_(role) {}
    Result<std::shared_ptr<ssl_ctx_st>> load() const;
    std::string stamp() const;

    const TlsFiles files_;
    const Role role_;
    std::mutex mutex_;
    std::shared_ptr<ssl_ctx_st> context_;  // guarded by mutex_, as those below
    std::string stamp_;                    // of the files that it was made of
    Instant looked_{};
};

// What clients of this process use for https://, but for those that are given another. Before the first of them; without it, the authorities of
// SSL_CERT_FILE or of the system are believed, and no certificate is shown.
void set_client_tls(std::shared_ptr<TlsContext> context);
Result<std::shared_ptr<TlsContext>> client_tls();

}  // namespace millrace::http
