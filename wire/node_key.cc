#include "wire/node_key.h"

#include <zmq.h>

#include <filesystem>

#include "core/file.h"
#include "core/secrets.h"

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
    const std::string digest = sha256(public_key);
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < 8; ++i) {
        if (i > 0 && i % 2 == 0) text += ':';
        text += kDigits[static_cast<unsigned char>(digest[i]) >> 4];
        text += kDigits[static_cast<unsigned char>(digest[i]) & 15];
    }
    return text;
}

}  // namespace millrace::wire
