#include "auth/certificates.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/private_files.h"
#include "core/secrets.h"

namespace millrace::auth {
namespace {

constexpr int kAuthorityDays = 3650;
constexpr int kDaysMax = 3650;
constexpr std::int64_t kSecondsBefore = 300;
constexpr std::size_t kSerialBytes = 16;
constexpr std::size_t kPemBytesMax = 64 << 10;

using Key = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* it) { ::EVP_PKEY_free(it); })>;
using Certificate = std::unique_ptr<X509, decltype([](X509* it) { ::X509_free(it); })>;
using MemoryBio = std::unique_ptr<BIO, decltype([](BIO* it) { ::BIO_free(it); })>;
using Extension = std::unique_ptr<X509_EXTENSION, decltype([](X509_EXTENSION* it) { ::X509_EXTENSION_free(it); })>;

std::string text_of(const MemoryBio& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(EVP_PKEY* key) {
    const MemoryBio bio(::BIO_new(::BIO_s_mem()));
    MILLRACE_CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return text_of(bio);
}

std::string pem_of(X509* certificate) {
    const MemoryBio bio(::BIO_new(::BIO_s_mem()));
    MILLRACE_CHECK(::PEM_write_bio_X509(bio.get(), certificate) == 1);
    return text_of(bio);
}

Key new_key() {
    Key key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    MILLRACE_CHECK(key != nullptr);
    return key;
}

// Version 3, a serial number by chance, its times, its name and its key.
Certificate blank(const std::string& name, EVP_PKEY* key, std::int64_t begins, int days) {
    Certificate certificate(::X509_new());
    ::X509_set_version(certificate.get(), X509_VERSION_3);
    std::string serial = random_bytes(kSerialBytes);
    serial[0] = static_cast<char>(serial[0] & 0x7f);
    const std::unique_ptr<BIGNUM, decltype([](BIGNUM* it) { ::BN_free(it); })> number(
        ::BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), static_cast<int>(serial.size()), nullptr));
    (void)::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate.get()));
    const std::int64_t from = begins == 0 ? unix_now_ns() / 1'000'000'000 - kSecondsBefore : begins;
    (void)::ASN1_TIME_set(X509_getm_notBefore(certificate.get()), from);
    (void)::ASN1_TIME_set(X509_getm_notAfter(certificate.get()), from + std::int64_t{days} * 24 * 3600);
    X509_NAME* const subject = ::X509_get_subject_name(certificate.get());
    ::X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>("Millrace"), -1, -1, 0);
    ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    ::X509_set_pubkey(certificate.get(), key);
    return certificate;
}

void extend(X509* certificate, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    ::X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension(::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
    MILLRACE_CHECK(extension != nullptr);
    ::X509_add_ext(certificate, extension.get(), -1);
}

bool is_usable(std::string_view text, std::string_view also) {
    const auto fits = [&](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || also.find(c) != also.npos; };
    return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, fits);
}

bool is_host_address(const std::string& host) {
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

Result<std::string> names_of(const NodeCertificate& node) {
    std::string names = "URI:millrace:" + node.name;
    for (const std::string& host : node.hosts) {
        if (is_host_address(host)) {
            names += ",IP:" + host;
        } else if (is_usable(host, "-.*")) {
            names += ",DNS:" + host;
        } else {
            return fail(Code::invalid_argument, "'" + host + "' is no host name and no IP address");
        }
    }
    return names;
}

struct OpenAuthority {
    Key key;
    Certificate certificate;
};

Result<OpenAuthority> open_authority(const std::string& folder) {
    MILLRACE_TRY_ASSIGN(const std::string key, read_file(folder + "/ca.key", kPemBytesMax));
    MILLRACE_TRY_ASSIGN(const std::string certificate, read_file(folder + "/ca.pem", kPemBytesMax));
    const MemoryBio key_bio(::BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
    const MemoryBio certificate_bio(::BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size())));
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    OpenAuthority opened{Key(::PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr)),
                         Certificate(::PEM_read_bio_X509(certificate_bio.get(), nullptr, no_passphrase, nullptr))};
    const bool fits = opened.key && opened.certificate && ::X509_check_private_key(opened.certificate.get(), opened.key.get()) == 1;
    ::ERR_clear_error();
    if (!fits) return fail(Code::invalid_argument, folder + " holds no authority: ca.key and ca.pem must be those that 'millrace ca init' has made");
    return opened;
}

}  // namespace

Result<Authority> make_authority(const std::string& folder) {
    keep_files_private();
    MILLRACE_TRY(make_folder(folder));
    const Key key = new_key();
    const Certificate certificate = blank("Millrace authority", key.get(), 0, kAuthorityDays);
    ::X509_set_issuer_name(certificate.get(), ::X509_get_subject_name(certificate.get()));
    extend(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extend(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
    MILLRACE_CHECK(::X509_sign(certificate.get(), key.get(), ::EVP_sha256()) > 0);
    Authority made{folder + "/ca.key", folder + "/ca.pem"};
    MILLRACE_TRY(write_new_file(made.key, pem_of(key.get())));
    MILLRACE_TRY(write_new_file(made.certificate, pem_of(certificate.get())));
    return made;
}

Result<IssuedCertificate> issue_certificate(const std::string& folder, const NodeCertificate& node) {
    keep_files_private();
    if (!is_usable(node.name, "-_.")) return fail(Code::invalid_argument, "the name of a node is of letters, digits, '-', '_' and '.'");
    if (node.days < 1 || node.days > kDaysMax) return fail(Code::invalid_argument, "a certificate lives for 1 to " + std::to_string(kDaysMax) + " days");
    MILLRACE_TRY_ASSIGN(const std::string names, names_of(node));
    MILLRACE_TRY_ASSIGN(const OpenAuthority authority, open_authority(folder));
    const Key key = new_key();
    const Certificate certificate = blank(node.name, key.get(), node.begins_unix, node.days);
    ::X509_set_issuer_name(certificate.get(), ::X509_get_subject_name(authority.certificate.get()));
    X509* const issuer = authority.certificate.get();
    extend(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
    extend(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
    extend(certificate.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    extend(certificate.get(), issuer, NID_subject_alt_name, names);
    extend(certificate.get(), issuer, NID_subject_key_identifier, "hash");
    extend(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
    MILLRACE_CHECK(::X509_sign(certificate.get(), authority.key.get(), ::EVP_sha256()) > 0);
    const std::string out = node.out.empty() ? folder : node.out;
    MILLRACE_TRY(make_folder(out));
    IssuedCertificate issued{out + "/" + node.name + ".key", out + "/" + node.name + ".pem"};
    MILLRACE_TRY(write_new_file(issued.key, pem_of(key.get())));
    MILLRACE_TRY(write_new_file(issued.certificate, pem_of(certificate.get())));
    return issued;
}

}  // namespace millrace::auth
