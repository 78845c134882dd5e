#include "wire/join_code.h"

#include "core/base64.h"
#include "core/json.h"
#include "core/json_members.h"
#include "wire/node_key.h"

namespace millrace::wire {

std::string to_text(const JoinCode& code) {
    return base64url_encode(json_text({{"http", code.http}, {"control", code.control}, {"key", code.proxy_key}, {"token", base64url_encode(code.token)}}));
}

Result<JoinCode> parse_join_code(std::string_view text) {
    const Error wrong = fail(Code::invalid_argument, "this is no code to join with; copy all of the line that 'millrace cluster invite' printed");
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    if (text.size() > kJoinCodeBytesMax) return wrong;
    const Result<std::string> bytes = base64url_decode(text);
    if (!bytes) return wrong;
    const nlohmann::json document = json_or_null(*bytes);
    JoinCode code{text_of(document, "http"), text_of(document, "control"), text_of(document, "key"), ""};
    const Result<std::string> token = base64url_decode(text_of(document, "token"));
    if (!token || token->size() != kTokenBytes || !is_node_key(code.proxy_key) || code.http.empty() || !code.control.starts_with("tcp://")) return wrong;
    code.token = *token;
    return code;
}

}  // namespace millrace::wire
