// RFC 9457 problem documents: how every HTTP error of ours looks. On the paths of AIStore's API they have AIStore's members, too. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::http {

// {"type":"about:blank","title":…,"status":…,"code":"not_found","detail":…,"message":…}; `code` is code_name() and stable,
// `message` is `detail` again, for clients of AIStore.
std::string problem_json(const Error& error);
// The same for a status that is not status_of(error.code), such as 405.
std::string problem_json(const Error& error, int status);
// What an error document of AIStore's says besides: which request went wrong, where.
struct ProblemPlace {
    std::string_view method;
    std::string_view path;  // of the request
    std::string_view peer;
    std::string_view node;  // that answers: p[ID], or t[ID] of a target
};
// Whether a path belongs to AIStore's API, whose clients take no error but as application/json.
bool is_aistores(std::string_view path);
// With AIStore's members where the path is AIStore's: tcode (where it has a name for such an error), method, url_path, remote_addr, caller, node.
std::string problem_json(const Error& error, int status, const ProblemPlace& place);
// The Error that a reply of status >= 400 stands for; a body that is no problem document becomes its context (shortened).
Error error_of_reply(int status, std::string_view body);
// The Code with this code_name().
std::optional<Code> parse_code(std::string_view name);

}  // namespace millrace::http
