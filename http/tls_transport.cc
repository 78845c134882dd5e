#include "http/tls_transport.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cstring>
#include <optional>
#include <vector>

#include "core/check.h"
#include "http/plain_transport.h"
#include "http/tls_error.h"
#include "http/tls_records.h"

namespace millrace::http {
using boost::system::error_code;

namespace {

constexpr std::size_t kSealedMax = 128 * 1024;   // plain bytes that are encrypted for one write
constexpr std::size_t kRecordBytes = 16 * 1024;  // RFC 8446, 5.1

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

std::string node_of(X509* certificate) {
    std::string node;
    auto* names = static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) continue;
        const std::string_view uri(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(name->d.uniformResourceIdentifier)),
                                   static_cast<std::size_t>(::ASN1_STRING_length(name->d.uniformResourceIdentifier)));
        if (uri.starts_with(kNodeUri)) node = uri.substr(kNodeUri.size());
    }
    ::GENERAL_NAMES_free(names);
    return node;
}

class TlsTransport final : public Transport {
public:
    TlsTransport(std::unique_ptr<Transport> inner, std::shared_ptr<SSL_CTX> context, std::string host)
        : inner_(std::move(inner)), context_(std::move(context)), host_(std::move(host)), ssl_(::SSL_new(context_.get())) {
        MILLRACE_CHECK(ssl_ != nullptr);
        BIO* const bio = records_.make_bio();
        ::SSL_set_bio(ssl_.get(), bio, bio);
    }

    Task<error_code> connect(const sockaddr& address, socklen_t length) override { return inner_->connect(address, length); }

    Task<error_code> open(Role role) override {
        if (const error_code failure = co_await inner_->open(role)) co_return failure;
        if (role == Role::client) {
            name_server();
            ::SSL_set_connect_state(ssl_.get());
        } else {
            ::SSL_set_accept_state(ssl_.get());
        }
        for (;;) {
            forget_tls_errors();
            const int done = ::SSL_do_handshake(ssl_.get());
            const int wants = ::SSL_get_error(ssl_.get(), done);
            const error_code failure = done == 1 || wants == SSL_ERROR_WANT_READ ? error_code{} : refusal();
            if (is_plain_http(failure)) answer_http();
            if (const error_code unsent = co_await flush(); !failure && unsent) co_return unsent;
            if (failure || done == 1) co_return failure;
            if (const error_code ended = co_await receive()) co_return ended == boost::asio::error::eof ? cut_short() : ended;
        }
    }

    Task<Io> read_some(std::span<std::byte> buffer) override {
        for (;;) {
            const Io got = read_opened(buffer);
            if (std::get<0>(got) || std::get<1>(got) > 0) co_return got;
            if (const error_code ended = co_await receive()) {
                // Whoever sits in between can do that: it is no end of a message.
                co_return Io(ended == boost::asio::error::eof ? error_code(boost::asio::error::connection_reset) : ended, 0);
            }
        }
    }

    Task<Io> write_some(Parts parts) override {
        const std::optional<std::size_t> taken = seal(parts);
        const error_code failure = taken ? co_await flush() : last_tls_error();
        co_return Io(failure, failure ? 0 : *taken);
    }

    // What was encrypted cannot be taken back. So where not all of it went out, all but its last byte is said to: the write that follows, which
    // begins with that byte, sends the rest.
    Io try_write(Parts parts) override {
        if (owed_ > 0) return {error_code{}, 0};
        const std::optional<std::size_t> taken = seal(parts);
        if (!taken) return {last_tls_error(), 0};
        if (const error_code failure = try_flush()) return {failure, 0};
        if (*taken == 0 || records_.unsent().empty()) return {error_code{}, *taken};
        owed_ = 1;
        return {error_code{}, *taken - 1};
    }

    Task<void> end_sending() override {
        say_end();
        if (!co_await flush()) co_await inner_->end_sending();
    }

    void cut() override { inner_->cut(); }

    void close() override {
        if (inner_->is_open() && ::SSL_is_init_finished(ssl_.get()) == 1) {
            say_end();
            (void)try_flush();
        }
        inner_->close();
    }

    // A socket without the state of its encryption is of no use.
    Descriptor release() override {
        close();
        return {};
    }

    bool is_open() const override { return inner_->is_open(); }
    bool has_hung_up() const override { return inner_->has_hung_up(); }
    bool is_silent() override { return ::SSL_pending(ssl_.get()) == 0 && !records_.has_received() && inner_->is_silent(); }
    std::string peer() const override { return inner_->peer(); }

    bool is_secure() const override { return true; }
    std::string peer_node() const override {
        X509* const certificate = ::SSL_get0_peer_certificate(ssl_.get());
        return certificate != nullptr && ::SSL_get_verify_result(ssl_.get()) == X509_V_OK ? node_of(certificate) : "";
    }

private:
    void name_server() {
        if (host_.empty()) return;
        X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(ssl_.get());
        if (is_ip_address(host_)) {
            ::X509_VERIFY_PARAM_set1_ip_asc(wanted, host_.c_str());
        } else {
            ::X509_VERIFY_PARAM_set1_host(wanted, host_.c_str(), host_.size());
            SSL_set_tlsext_host_name(ssl_.get(), host_.c_str());
        }
    }

    error_code refusal() const {
        const long verified = ::SSL_get_verify_result(ssl_.get());
        if (verified == X509_V_OK) return last_tls_error();
        forget_tls_errors();
        return certificate_error(verified);
    }

    // Somebody who has taken the wrong scheme is told so.
    void answer_http() {
        static constexpr std::string_view kAnswer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                                                    "this port speaks https: use an https:// address\n";
        const std::span<const std::byte> part = std::as_bytes(std::span(kAnswer));
        (void)inner_->try_write({&part, 1});
    }

    void say_end() {
        forget_tls_errors();
        (void)::SSL_shutdown(ssl_.get());
        forget_tls_errors();
    }

    // What lies here already, decrypted. Neither an error nor bytes: more must be received.
    Io read_opened(std::span<std::byte> buffer) {
        std::size_t opened = 0;
        while (!ended_ && opened < buffer.size()) {
            std::size_t count = 0;
            forget_tls_errors();
            if (::SSL_read_ex(ssl_.get(), buffer.data() + opened, buffer.size() - opened, &count) != 1) {
                ended_ = end_of_reading();
                break;
            }
            opened += count;
        }
        return {opened > 0 ? error_code{} : ended_, opened};
    }

    // Why OpenSSL gave nothing; no error: it needs more records.
    error_code end_of_reading() const {
        switch (::SSL_get_error(ssl_.get(), 0)) {
            case SSL_ERROR_WANT_READ:
            case SSL_ERROR_WANT_WRITE: return {};
            case SSL_ERROR_ZERO_RETURN: return boost::asio::error::eof;
            default: return last_tls_error();
        }
    }

    Task<error_code> receive() {
        const auto [failure, count] = co_await inner_->read_some(records_.room());
        if (failure) co_return failure;
        records_.received(count);
        co_return error_code{};
    }

    // Small parts share a record: a head and a short body cost one. What fills records of its own is not copied for that. How many bytes it took,
    // those that are owed with them; nullopt: OpenSSL says no.
    std::optional<std::size_t> seal(Parts parts) {
        std::size_t skip = std::exchange(owed_, 0);
        std::size_t taken = 0;
        scratch_.clear();
        for (std::span<const std::byte> part : parts) {
            part = part.first(std::min(part.size(), kSealedMax - taken));
            taken += part.size();
            const std::size_t skipped = std::min(skip, part.size());
            skip -= skipped;
            part = part.subspan(skipped);
            if (scratch_.size() + part.size() <= kRecordBytes) {
                scratch_.insert(scratch_.end(), part.begin(), part.end());
                continue;
            }
            if (!encrypt(scratch_) || !encrypt(part)) return std::nullopt;
            scratch_.clear();
        }
        return encrypt(scratch_) ? std::optional(taken) : std::nullopt;
    }

    bool encrypt(std::span<const std::byte> bytes) {
        if (bytes.empty()) return true;
        std::size_t written = 0;
        forget_tls_errors();
        return ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1 && written == bytes.size();
    }

    error_code try_flush() {
        for (std::span<const std::byte> part = records_.unsent(); !part.empty(); part = records_.unsent()) {
            const auto [failure, count] = inner_->try_write({&part, 1});
            if (failure) return failure;
            if (count == 0) break;
            records_.sent(count);
        }
        return {};
    }

    Task<error_code> flush() {
        for (std::span<const std::byte> part = records_.unsent(); !part.empty(); part = records_.unsent()) {
            const auto [failure, count] = co_await inner_->write_some({&part, 1});
            if (failure) co_return failure;
            records_.sent(count);
        }
        co_return error_code{};
    }

    const std::unique_ptr<Transport> inner_;
    const std::shared_ptr<SSL_CTX> context_;
    const std::string host_;
    TlsRecords records_;
    const std::unique_ptr<SSL, decltype([](SSL* it) { ::SSL_free(it); })> ssl_;
    error_code ended_;                // of reading
    std::vector<std::byte> scratch_;  // parts that share a record
    std::size_t owed_ = 0;  // plain bytes that are encrypted and not yet said to be taken
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<Transport> inner, const std::shared_ptr<TlsContext>& context, const std::string& host) {
    return std::make_unique<TlsTransport>(std::move(inner), context->current(), host);
}

Result<std::shared_ptr<TlsContext>> server_tls(const TlsFiles& files) {
    if (files.certificate.empty()) return nullptr;
    return TlsContext::open(files, TlsContext::Role::server);
}

MakeTransport server_transport(std::shared_ptr<TlsContext> context) {
    return context ? tls_client_transport(std::move(context), "") : MakeTransport(make_plain_transport);
}

MakeTransport tls_client_transport(std::shared_ptr<TlsContext> context, std::string host) {
    return [context = std::move(context), host = std::move(host)](const Executor& executor, Descriptor socket) {
        return make_tls_transport(make_plain_transport(executor, std::move(socket)), context, host);
    };
}

}  // namespace millrace::http
