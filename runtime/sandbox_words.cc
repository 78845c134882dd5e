#include "runtime/sandbox_words.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <span>

#include "runtime/limit_words.h"

namespace millrace::runtime {
namespace {

// What programs print for EACCES, EPERM, EROFS and the errors of a network that has nothing in it, whatever language they are written in.
constexpr std::array<std::string_view, 5> kOpenWords{"ermission denied", "EACCES", "PermissionError", "AccessDenied", "Read-only file system"};
constexpr std::array<std::string_view, 2> kCallWords{"peration not permitted", "EPERM"};
constexpr std::array<std::string_view, 9> kNetworkWords{"etwork is unreachable", "ENETUNREACH", "name resolution", "ould not resolve", "not resolve host",
                                                        "ame or service not known", "UnknownHostException", "no such host", "amily not supported"};

std::string_view said(std::string_view text, std::span<const std::string_view> words) {
    const auto found = std::ranges::find_if(words, [&](std::string_view word) { return text.find(word) != text.npos; });
    return found == words.end() ? "" : *found;
}

// The line it is in, as far as it says something: programs name the file there.
std::string line_with(std::string_view text, std::string_view word) {
    constexpr std::size_t kBytesMax = 200;
    const std::size_t at = text.find(word);
    const std::size_t begin = text.rfind('\n', at) + 1;
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    return std::string(line.substr(line.size() > kBytesMax ? line.size() - kBytesMax : 0));
}

}  // namespace

std::string sandbox_words(const spec::SandboxSpec& opened, const ExitStatus& end, std::string_view last_words) {
    const bool was_killed = end.number == (end.signalled ? SIGSYS : kShellSignalBase + SIGSYS);
    if (was_killed) return " (its sandbox ended it for a system call of another machine's convention, such as a 32-bit program makes: 'sandbox: off')";
    if (const auto word = said(last_words, kNetworkWords); !word.empty() && !opened.network) {
        return " (it has no network in its sandbox, and printed '" + line_with(last_words, word) + "': if it is to have one, set 'sandbox: {network: true}')";
    }
    if (const auto word = said(last_words, kCallWords); !word.empty()) {
        return " (its sandbox may have refused what it tried, as it printed '" + line_with(last_words, word) +
               "': runtime/SANDBOX.md lists what is refused; if it must be, 'sandbox: off')";
    }
    if (const auto word = said(last_words, kOpenWords); !word.empty()) {
        return " (it may have been kept from opening a file outside of its folder, as it printed '" + line_with(last_words, word) +
               "': name the folder in 'sandbox.read', or in 'sandbox.write')";
    }
    return "";
}

std::string sandbox_text(const Sandbox* sandbox) { return sandbox == nullptr ? "off" : sandbox->in_force(); }

}  // namespace millrace::runtime
