#include "core/base64.h"

#include <algorithm>

#include <cstdint>

namespace millrace {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            text += at + i > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * i) & 0x3f];
        }
    }
    return text;
}

Result<std::string> base64_decode(std::string_view text) {
    const Error bad = fail(Code::invalid_argument, "is not base64");
    if (text.size() % 4 != 0) return bad;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    const std::string_view digits = text.substr(0, text.size() - padding);
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned bit_count = 0;
    for (const char c : digits) {
        const std::size_t value = kAlphabet.find(c);
        if (value == kAlphabet.npos) return bad;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        bytes += static_cast<char>(bits >> bit_count & 0xff);
        bits &= (1u << bit_count) - 1;
    }
    if (bits != 0) return bad;
    return bytes;
}

std::string base64url_encode(std::string_view bytes) {
    std::string text = base64_encode(bytes);
    while (text.ends_with('=')) text.pop_back();
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text;
}

Result<std::string> base64url_decode(std::string_view text) {
    std::string standard(text);
    if (standard.find_first_of("+/=") != standard.npos) return fail(Code::invalid_argument, "not base64url");
    std::ranges::replace(standard, '-', '+');
    std::ranges::replace(standard, '_', '/');
    standard.append((4 - standard.size() % 4) % 4, '=');
    return base64_decode(standard);
}

}  // namespace millrace
