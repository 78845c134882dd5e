#include "runtime/tail.h"

#include <algorithm>

#include "core/names.h"

namespace millrace::runtime {
namespace {
constexpr std::size_t kLineBytesMax = 300;
}

void Tail::append(std::string_view bytes) {
    if (bytes.size() > bytes_max_) {
        bytes.remove_prefix(bytes.size() - bytes_max_);
        bytes_.clear();
        dropped_ = true;
    } else if (bytes_.size() + bytes.size() > 2 * bytes_max_) {
        bytes_.erase(0, bytes_.size() + bytes.size() - bytes_max_);
        dropped_ = true;
    }
    bytes_.append(bytes);
}

std::string Tail::text() const {
    if (bytes_.size() <= bytes_max_ && !dropped_) return bytes_;
    std::string_view kept(bytes_);
    if (kept.size() > bytes_max_) kept.remove_prefix(kept.size() - bytes_max_);
    const std::size_t line_end = kept.find('\n');
    if (line_end != kept.npos && line_end + 1 < kept.size()) kept.remove_prefix(line_end + 1);
    return std::string(kept);
}

std::string Tail::last_line() const {
    std::string_view rest(bytes_);
    while (!rest.empty()) {
        const std::size_t start = rest.find_last_of('\n');
        const std::string line = one_line(start == rest.npos ? rest : rest.substr(start + 1));
        if (!line.empty()) return line;
        rest = rest.substr(0, start == rest.npos ? 0 : start);
    }
    return "";
}

std::string one_line(std::string_view text) {
    const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    std::size_t end = std::min(text.size(), kLineBytesMax);
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    std::string line(text);
    const bool readable = is_utf8(line);
    for (char& c : line) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
        if (!readable && static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return line;
}

}  // namespace millrace::runtime
