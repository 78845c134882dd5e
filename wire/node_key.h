// The CURVE key pair of a node (https://rfc.zeromq.org/spec/26/), by which the two ends of the control plane know each other. Made by libzmq at the
// first start of the node, and kept in its folder. Keys are in printable Z85 (https://rfc.zeromq.org/spec/32/). Any thread.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace::wire {

inline constexpr std::size_t kNodeKeyChars = 40;  // 32 bytes

struct NodeKey {
    std::string public_key;
    std::string secret_key;  // never in a log or a message
};

// Reads <folder>/node_key, or makes it (0600); <folder>/node_key.pub says the public half. Code::corrupt for a file that holds no key: another
// pair in its place would make the node a stranger.
Result<NodeKey> open_node_key(const std::string& folder);
// Whether the text can be a public key.
bool is_node_key(const std::string& text);
// What people compare: the first 16 hex digits of the SHA-256 of the public key, in groups of four.
std::string fingerprint(const std::string& public_key);

}  // namespace millrace::wire
