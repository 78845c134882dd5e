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

// AIStore's names for errors are those of types in Go: its clients compare them. A text says what was not there or is there already, in words that its
// other clients look for (scheduler/desired_catalog.cc).
std::string_view type_code(const Error& error) {
    const std::string_view text = error.context;
    const bool about_bucket = text.starts_with("bucket ");
    switch (error.code) {
        case Code::not_found:
            if (about_bucket) return "ErrBckNotFound";
            return text.starts_with("job ") ? "ErrXactNotFound" : "ErrNotFound";
        case Code::already_exists: return about_bucket ? "ErrBucketAlreadyExists" : "";
        case Code::conflict: return "ErrLimitedCoexistence";
        case Code::checksum_mismatch: return "ErrBadCksum";
        case Code::no_space: return "ErrCapacityExceeded";
        case Code::range: return "ErrRangeNotSatisfiable";
        default: return "";
    }
}

nlohmann::ordered_json problem(const Error& error, int status) {
    nlohmann::ordered_json document;
    document["type"] = "about:blank";
    document["title"] = status_text(status);
    document["status"] = status;
    document["code"] = code_name(error.code);
    document["detail"] = error.context;
    document["message"] = error.context;
    return document;
}

// A context may quote bytes of a client that are not UTF-8.
std::string text_of_problem(const nlohmann::ordered_json& document) {
    return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

bool is_aistores(std::string_view path) {
    if (path == "/v1/cluster") return true;
    for (const std::string_view root : {"/v1/buckets", "/v1/objects", "/v1/etl", "/v1/daemon", "/v1/reverse", "/v1/health", "/v1/download", "/v1/sort"}) {
        if (path.starts_with(root)) return true;
    }
    return false;
}

std::string problem_json(const Error& error, int status, const ProblemPlace& place) {
    nlohmann::ordered_json document = problem(error, status);
    if (is_aistores(place.path)) {
        if (const std::string_view type = type_code(error); !type.empty()) document["tcode"] = type;
        document["method"] = place.method;
        document["url_path"] = place.path;
        document["remote_addr"] = place.peer;
        document["caller"] = "";
        document["node"] = place.node;
    }
    return text_of_problem(document);
}

std::string problem_json(const Error& error) { return problem_json(error, status_of(error.code)); }

std::string problem_json(const Error& error, int status) { return text_of_problem(problem(error, status)); }

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
