// RFC 9457 problem documents: how every HTTP error of ours looks. Pure.
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
// The Error that a reply of status >= 400 stands for; a body that is no problem document becomes its context (shortened).
Error error_of_reply(int status, std::string_view body);
// The Code with this code_name().
std::optional<Code> parse_code(std::string_view name);

}  // namespace millrace::http
