#include "aistore/log_archive.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace millrace::aistore {
namespace {

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kStoredMax = 65535;  // of a block of gzip that is not compressed

void put_field(std::string& header, std::size_t at, std::string_view text) { header.replace(at, text.size(), text); }

std::string octal(std::uint64_t number, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(number));
    return text;
}

std::string tar_header(const std::string& name, std::size_t size, std::int64_t unix_seconds) {
    std::string header(kTarBlock, '\0');
    put_field(header, 0, std::string_view(name).substr(0, 100));
    put_field(header, 100, "0000644");
    put_field(header, 108, "0000000");
    put_field(header, 116, "0000000");
    put_field(header, 124, octal(size, 11));
    put_field(header, 136, octal(static_cast<std::uint64_t>(std::max<std::int64_t>(unix_seconds, 0)), 11));
    put_field(header, 148, "        ");  // the sum counts as blanks in itself
    put_field(header, 156, "0");
    put_field(header, 257, "ustar");
    put_field(header, 263, "00");
    std::uint64_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put_field(header, 148, octal(sum, 6));
    header[154] = '\0';
    return header;
}

std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

void append_little_endian(std::string& out, std::uint32_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

// RFC 1952, with blocks that are stored as they are (RFC 1951 section 3.2.4).
std::string gzip_stored(std::string_view content) {
    std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
    std::string_view rest = content;
    do {
        const std::string_view part = rest.substr(0, kStoredMax);
        rest.remove_prefix(part.size());
        out += rest.empty() ? '\x01' : '\x00';
        append_little_endian(out, static_cast<std::uint32_t>(part.size()), 2);
        append_little_endian(out, ~static_cast<std::uint32_t>(part.size()), 2);
        out += part;
    } while (!rest.empty());
    append_little_endian(out, crc32(content), 4);
    append_little_endian(out, static_cast<std::uint32_t>(content.size()), 4);
    return out;
}

}  // namespace

std::string log_archive(const std::string& name, const std::string& content, std::int64_t unix_seconds) {
    std::string tar = tar_header(name, content.size(), unix_seconds) + content;
    tar.resize((tar.size() + kTarBlock - 1) / kTarBlock * kTarBlock, '\0');
    tar.append(2 * kTarBlock, '\0');
    return gzip_stored(tar);
}

}  // namespace millrace::aistore
