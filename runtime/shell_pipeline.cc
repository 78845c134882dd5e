#include "runtime/shell_pipeline.h"

#include "spec/command_line.h"

namespace millrace::runtime {
namespace {

// "|", but not "||", outside of quotes. In a comment or behind a here-document it is one too many, which does no harm.
bool has_pipe(const std::string& text) {
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && quote != '\'') {
            ++i;
        } else if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '|') {
            if (i + 1 < text.size() && text[i + 1] == '|') {
                ++i;
            } else {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

std::optional<std::vector<std::string>> failing_pipeline(const std::vector<std::string>& argv, const std::string& bash) {
    if (!spec::is_shell_text(argv) || !has_pipe(argv[2])) return std::nullopt;
    // As sh: no braces are expanded, and echo knows backslashes.
    if (!bash.empty()) return std::vector<std::string>{bash, "--posix", "+B", "-O", "xpg_echo", "-o", "pipefail", "-c", argv[2]};
    // A shell ends when it is told to set what it does not know, so a child of it tries.
    return std::vector<std::string>{"/bin/sh", "-c", "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n" + argv[2]};
}

}  // namespace millrace::runtime
