// What every fuzzer shares. One executable for each decoder of foreign bytes: it defines fuzz(), which fails by MILLRACE_CHECK or by a
// sanitizer. entry.cc hands it what libFuzzer makes up.
#pragma once
#include <string_view>

void fuzz(std::string_view bytes);

namespace millrace {

// The first byte of an input, which chooses among several decoders or ways of feeding one; 0 where there is none.
inline unsigned char take_byte(std::string_view& bytes) {
    if (bytes.empty()) return 0;
    const auto first = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    return first;
}

}  // namespace millrace
