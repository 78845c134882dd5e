#include "cli/context.h"

#include <ostream>

#include "cli/output.h"
#include "cli/session.h"

namespace millrace::cli {

int exit_status(Code code) {
    switch (code) {
        case Code::invalid_argument:
        case Code::already_exists:
        case Code::conflict:
        case Code::too_large:
        case Code::unsupported_version:
        case Code::range: return kExitUsage;
        case Code::not_found: return kExitNotFound;
        case Code::unavailable: return kExitUnreachable;
        default: return kExitFailed;
    }
}

void report(Console& console, std::string_view what, std::string_view detail, std::string_view hint) {
    std::string text = "millrace: " + clean_text(what);
    if (!detail.empty()) text += ": " + clean_text(detail);
    text += '\n';
    if (!hint.empty()) text += "  " + clean_text(hint) + '\n';
    console.err << text << std::flush;
}

void notice(Console& console, std::string_view text) { report(console, text, ""); }

int Context::fail(std::string_view what, const Error& error) const {
    if (Session::is_unreachable(error)) {
        report(console, error.context, "", session.unreachable_hint(error));
    } else {
        report(console, what, error.context.empty() ? code_name(error.code) : std::string_view(error.context));
    }
    return exit_status(error.code);
}

}  // namespace millrace::cli
