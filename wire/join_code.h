// What a new node needs to find its proxy, to know it again, and to show that it was invited: one word, to be handed over in secret.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::wire {

inline constexpr std::size_t kTokenBytes = 32;
inline constexpr std::size_t kJoinCodeBytesMax = 4096;

struct JoinCode {
    std::string http;       // the proxy's endpoint, "http://host:port"
    std::string control;    // its control endpoint, "tcp://host:port"
    std::string proxy_key;  // its public key
    std::string token;      // kTokenBytes that nobody can guess; they are good once
};

// Letters, digits, '-' and '_' (RFC 4648 section 5).
std::string to_text(const JoinCode& code);
// Code::invalid_argument; the error does not repeat the text, which is a secret.
Result<JoinCode> parse_join_code(std::string_view text);

}  // namespace millrace::wire
