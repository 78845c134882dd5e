#include "wire/node_key.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <zmq.h>

#include <filesystem>

#include "core/check.h"
#include "core/file.h"

namespace millrace::wire {
namespace {

std::string without_line_end(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

Result<NodeKey> read_node_key(const std::string& file) {
    MILLRACE_TRY_ASSIGN(const std::string text, read_file(file, 256));
    NodeKey key;
    key.secret_key = without_line_end(text);
    char public_key[kNodeKeyChars + 1] = {};
    if (!is_node_key(key.secret_key) || ::zmq_curve_public(public_key, key.secret_key.c_str()) != 0) {
        return fail(Code::corrupt, file + " holds no key; bring it back from a copy, or remove it and let the node join again: millrace cluster invite");
    }
    key.public_key = public_key;
    return key;
}

Result<NodeKey> make_node_key(const std::string& file) {
    char public_key[kNodeKeyChars + 1] = {};
    char secret_key[kNodeKeyChars + 1] = {};
    if (::zmq_curve_keypair(public_key, secret_key) != 0) {
        return fail(Code::internal, "libzmq was built without CURVE, and makes no keys; install one that has it (Debian: libzmq5)");
    }
    NodeKey key{public_key, secret_key};
    MILLRACE_TRY(write_file(file, key.secret_key + "\n"));
    return key;
}

}  // namespace

Result<NodeKey> open_node_key(const std::string& folder) {
    const std::string file = folder + "/node_key";
    std::error_code error;
    const bool is_there = std::filesystem::exists(file, error);
    if (error) return errno_error("cannot look for " + file, error.value());
    MILLRACE_TRY_ASSIGN(NodeKey key, is_there ? read_node_key(file) : make_node_key(file));
    MILLRACE_TRY(write_file(file + ".pub", key.public_key + "\n"));
    return key;
}

bool is_node_key(const std::string& text) {
    std::uint8_t bytes[kNodeKeyChars / 5 * 4];
    return text.size() == kNodeKeyChars && text.find('\0') == text.npos && ::zmq_z85_decode(bytes, text.c_str()) != nullptr;
}

std::string fingerprint(const std::string& public_key) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    MILLRACE_CHECK(::EVP_Digest(public_key.data(), public_key.size(), digest, nullptr, ::EVP_sha256(), nullptr) == 1);
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 8; ++i) {
        if (i > 0 && i % 2 == 0) text += ':';
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

std::string secret_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    MILLRACE_CHECK(::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1);
    return bytes;
}

}  // namespace millrace::wire
