#include "http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "core/check.h"
#include "core/log.h"

namespace millrace::http {
namespace {

constexpr auto kLookPause = std::chrono::seconds(2);
constexpr unsigned char kSessionName[] = "millrace";

std::string openssl_reason() {
    const unsigned long code = ::ERR_peek_last_error();
    const char* text = ::ERR_reason_error_string(code);
    ::ERR_clear_error();
    return text == nullptr ? "it cannot be read" : text;
}

Error unusable(const std::string& what, const std::string& file) {
    return fail(Code::invalid_argument, what + " " + file + ": " + openssl_reason() + "; it must be PEM, 'millrace ca issue' makes such files");
}

// A key that others can read is nobody's own.
Result<void> check_key_file(const std::string& file) {
    struct stat found{};
    if (::stat(file.c_str(), &found) != 0) return errno_error("tls_key " + file, errno);
    if ((found.st_mode & 077) == 0) return {};
    return fail(Code::permission, "tls_key " + file + " can be read by others: chmod 600 it, and think about who may have copied it");
}

Result<void> check_time(SSL_CTX* context, const std::string& file) {
    X509* certificate = ::SSL_CTX_get0_certificate(context);
    if (::X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0) return {};
    return fail(Code::invalid_argument, "tls_certificate " + file + " has expired: issue another ('millrace ca issue')");
}

int alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered, unsigned int offered_size, void*) {
    static constexpr unsigned char kHttp11[] = "\x08http/1.1";
    unsigned char* found = nullptr;
    const int outcome = ::SSL_select_next_proto(&found, chosen_size, kHttp11, sizeof kHttp11 - 1, offered, offered_size);
    *chosen = found;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::shared_ptr<SSL_CTX> new_context(TlsContext::Role role) {
    const bool serves = role == TlsContext::Role::server;
    std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(serves ? ::TLS_server_method() : ::TLS_client_method()), [](SSL_CTX* it) { ::SSL_CTX_free(it); });
    MILLRACE_CHECK(context != nullptr);
    ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // The one with shorter keys, which are as good as any today, costs a fifth less where the processor knows AES.
    ::SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    ::SSL_CTX_set_session_id_context(context.get(), kSessionName, sizeof kSessionName - 1);
    if (serves) ::SSL_CTX_set_alpn_select_cb(context.get(), alpn, nullptr);
    return context;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::open(TlsFiles files, Role role) {
    std::shared_ptr<TlsContext> context(new TlsContext(std::move(files), role));
    context->stamp_ = context->stamp();
    MILLRACE_TRY_ASSIGN(context->context_, context->load());
    MILLRACE_TRY(context->files_.certificate.empty() ? Result<void>() : check_time(context->context_.get(), context->files_.certificate));
    context->looked_ = steady_now();
    return context;
}

std::shared_ptr<TlsContext> TlsContext::without_verification() {
    std::shared_ptr<TlsContext> context(new TlsContext({}, Role::client));
    context->context_ = new_context(Role::client);
    ::SSL_CTX_set_verify(context->context_.get(), SSL_VERIFY_NONE, nullptr);
    return context;
}

Result<std::shared_ptr<SSL_CTX>> TlsContext::load() const {
    ::ERR_clear_error();
    std::shared_ptr<SSL_CTX> context = new_context(role_);
    if (!files_.certificate.empty()) {
        if (::SSL_CTX_use_certificate_chain_file(context.get(), files_.certificate.c_str()) != 1) return unusable("tls_certificate", files_.certificate);
        MILLRACE_TRY(check_key_file(files_.key));
        if (::SSL_CTX_use_PrivateKey_file(context.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1) return unusable("tls_key", files_.key);
        if (::SSL_CTX_check_private_key(context.get()) != 1) {
            ::ERR_clear_error();
            return fail(Code::invalid_argument, "tls_key " + files_.key + " is not the key of tls_certificate " + files_.certificate);
        }
    }
    if (files_.authority.empty()) {
        ::SSL_CTX_set_default_verify_paths(context.get());
    } else if (::SSL_CTX_load_verify_file(context.get(), files_.authority.c_str()) != 1) {
        return unusable("tls_ca", files_.authority);
    }
    ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
}

std::string TlsContext::stamp() const {
    std::string text;
    for (const std::string* file : {&files_.certificate, &files_.key, &files_.authority}) {
        struct stat found{};
        if (file->empty() || ::stat(file->c_str(), &found) != 0) continue;
        text += std::to_string(found.st_ino) + "." + std::to_string(found.st_size) + "." + std::to_string(found.st_mtim.tv_sec) + "." +
                std::to_string(found.st_mtim.tv_nsec) + " ";
    }
    return text;
}

std::shared_ptr<SSL_CTX> TlsContext::current() {
    const std::scoped_lock lock(mutex_);
    if (steady_now() - looked_ < kLookPause) return context_;
    looked_ = steady_now();
    std::string now = stamp();
    if (now == stamp_) return context_;
    auto fresh = load();
    if (!fresh) {
        log::warn("certificates stay as they were: the new ones cannot be used (yet)", {{"error", fresh.error()}});
        return context_;
    }
    context_ = std::move(*fresh);
    stamp_ = std::move(now);
    log::info("certificates read anew", {{"certificate", files_.certificate}});
    return context_;
}

namespace {

std::mutex client_mutex;
std::shared_ptr<TlsContext> client_context;  // guarded by client_mutex

}  // namespace

void set_client_tls(std::shared_ptr<TlsContext> context) {
    const std::scoped_lock lock(client_mutex);
    client_context = std::move(context);
}

Result<std::shared_ptr<TlsContext>> client_tls() {
    const std::scoped_lock lock(client_mutex);
    if (!client_context) {
        MILLRACE_TRY_ASSIGN(client_context, TlsContext::open({}, TlsContext::Role::client));
    }
    return client_context;
}

}  // namespace millrace::http
