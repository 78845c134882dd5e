#include "core/names.h"

#include <algorithm>
#include <cctype>

namespace millrace {
namespace {

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

// Length of the UTF-8 sequence that starts at text[0], or 0 if it is not one (overlong and surrogates included).
std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    const unsigned char second = byte(1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
    if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
    return length;
}

Error bad_object(std::string_view why) {
    return fail(Code::invalid_argument, "object name " + std::string(why));
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

Result<void> validate_object_name(std::string_view name) {
    if (name.empty()) return bad_object("is empty");
    if (name.size() > kObjectNameBytesMax) return bad_object("is longer than 1024 bytes");
    if (!is_utf8(name)) return bad_object("is not UTF-8");
    if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return bad_object("contains a control character");
    }
    for (std::size_t start = 0; start <= name.size();) {
        const std::size_t end = std::min(name.find('/', start), name.size());
        const std::string_view component = name.substr(start, end - start);
        if (component.empty()) return bad_object("'" + std::string(name) + "' has an empty path component; remove the extra '/'");
        if (component == "." || component == "..") {
            return bad_object("'" + std::string(name) + "' has a path component '" + std::string(component) + "', which could leave the bucket");
        }
        start = end + 1;
    }
    return {};
}

Result<void> validate_bucket_name(std::string_view name) {
    const auto allowed = [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; };
    if (name.empty() || name.size() > 64 || !is_alnum(name.front()) || !std::ranges::all_of(name, allowed)) {
        return fail(Code::invalid_argument, "bucket name '" + std::string(name) +
            "' must be 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or a digit");
    }
    return {};
}

Result<void> validate_transform_name(std::string_view name) {
    const auto allowed = [](char c) { return is_lower_alnum(c) || c == '-'; };
    if (name.size() < 6 || name.size() > 32 || !std::ranges::all_of(name, allowed) || name.front() == '-' || name.back() == '-') {
        return fail(Code::invalid_argument, "transform name '" + std::string(name) +
            "' must be 6 to 32 of a-z, 0-9 and '-', starting and ending with a letter or a digit");
    }
    return {};
}

Result<ObjectUri> parse_object_uri(std::string_view text) {
    constexpr std::string_view kScheme = "ais://";
    if (!text.starts_with(kScheme)) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' is not of the form ais://BUCKET[/OBJECT]");
    }
    text.remove_prefix(kScheme.size());
    const std::size_t slash = std::min(text.find('/'), text.size());
    ObjectUri uri{std::string(text.substr(0, slash)), std::string(slash < text.size() ? text.substr(slash + 1) : "")};
    MILLRACE_TRY(validate_bucket_name(uri.bucket));
    return uri;
}

}  // namespace millrace
