#include "cli/token.h"

#include <algorithm>
#include <istream>

#include "auth/token.h"
#include "cli/endpoint.h"
#include "core/file.h"
#include "core/json.h"
#include "core/json_members.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kFileBytesMax = 64 << 10;

std::string stripped(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlank);
    return first == text.npos ? "" : std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

// Nothing that would break out of the header it travels in.
Result<std::string> checked(std::string token, const std::string& origin) {
    const auto is_usable = [](char c) { return c > ' ' && c < 127; };
    if (!token.empty() && token.size() <= auth::kTokenBytesMax && std::ranges::all_of(token, is_usable)) return token;
    return fail(Code::invalid_argument, origin + " does not hold a token; 'millrace auth issue' makes one");
}

}  // namespace

Result<std::string> read_token_file(const std::string& file, const Console& console) {
    std::string text;
    if (file == "-") {
        text.resize(kFileBytesMax);
        console.in.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(console.in.gcount()));
    } else {
        MILLRACE_TRY_ASSIGN(text, read_file(file, kFileBytesMax));
    }
    text = stripped(text);
    if (text.starts_with('{')) text = text_of(json_or_null(text), "token");
    return checked(std::move(text), file == "-" ? "standard input" : file);
}

Result<std::string> find_token(const Console& console) {
    for (const std::string prefix : {"MILLRACE_TOKEN", "AIS_AUTHN_TOKEN"}) {
        if (const auto token = console.environment(prefix); token && !token->empty()) return checked(stripped(*token), prefix);
        if (const auto file = console.environment(prefix + "_FILE"); file && !file->empty()) return read_token_file(*file, console);
    }
    const Setting found = setting(console, "token_file");
    return found.value.empty() ? Result<std::string>("") : read_token_file(found.value, console);
}

}  // namespace millrace::cli
