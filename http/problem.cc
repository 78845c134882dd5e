#include "http/problem.h"

#include "core/json.h"
#include "core/json_members.h"
#include "core/names.h"
#include "http/message.h"

namespace millrace::http {
namespace {

constexpr std::size_t kContextBytesMax = 400;

// One line of text that is safe to log: control characters become spaces, runs of spaces one.
std::string cleaned(std::string_view text) {
    std::string clean;
    bool cut = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool blank = byte <= ' ' || byte == 127;
        if (blank && (clean.empty() || clean.back() == ' ')) continue;
        cut = clean.size() >= kContextBytesMax;
        if (cut) break;
        clean += blank ? ' ' : c;
    }
    while (cut && !clean.empty() && !is_utf8(clean) && clean.size() > kContextBytesMax - 4) clean.pop_back();
    if (clean.ends_with(' ')) clean.pop_back();
    return cut ? clean + "…" : clean;
}

}  // namespace

std::string problem_json(const Error& error) { return problem_json(error, status_of(error.code)); }

std::string problem_json(const Error& error, int status) {
    nlohmann::ordered_json document;
    document["type"] = "about:blank";
    document["title"] = status_text(status);
    document["status"] = status;
    document["code"] = code_name(error.code);
    document["detail"] = error.context;
    document["message"] = error.context;
    // A context may quote bytes of a client that are not UTF-8.
    return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Error error_of_reply(int status, std::string_view body) {
    const std::string shortened = cleaned(body);
    const nlohmann::json document = json_or_null(body);
    if (document.is_object()) {
        const std::string name = text_of(document, "code");
        const std::string detail = text_of(document, "detail");
        if (!name.empty() || !detail.empty()) {
            return {parse_code(name).value_or(code_of_status(status)), cleaned(detail.empty() ? shortened : detail)};
        }
    }
    std::string context = "status " + std::to_string(status) + " " + std::string(status_text(status));
    if (!shortened.empty()) context += ": " + shortened;
    return {code_of_status(status), std::move(context)};
}

std::optional<Code> parse_code(std::string_view name) {
    for (int number = 1;; ++number) {
        const std::string_view known = code_name(static_cast<Code>(number));
        if (known == "unknown") return std::nullopt;
        if (known == name) return static_cast<Code>(number);
    }
}

}  // namespace millrace::http
