#include "worker/joining.h"

#include <filesystem>

#include "core/base64.h"
#include "core/file.h"
#include "core/json.h"
#include "core/json_members.h"
#include "core/log.h"

namespace millrace::worker {
namespace {

constexpr auto kJoinPatience = std::chrono::seconds(30);
constexpr std::size_t kAccessBytesMax = 4096;

std::string access_file(const std::string& folder) { return folder + "/proxy_access"; }

}  // namespace

Result<std::optional<ProxyAccess>> read_proxy_access(const std::string& folder) {
    const std::string file = access_file(folder);
    std::error_code error;
    if (!std::filesystem::exists(file, error) && !error) return std::nullopt;
    MILLRACE_TRY_ASSIGN(const std::string text, read_file(file, kAccessBytesMax));
    const nlohmann::json document = json_or_null(text);
    ProxyAccess access{text_of(document, "control"), text_of(document, "proxy_key")};
    if (!access.control.starts_with("tcp://") || !wire::is_node_key(access.proxy_key)) {
        return fail(Code::corrupt, file + " does not say where the proxy is and which key it has; remove it, and join again: millrace cluster invite");
    }
    return access;
}

Task<Result<ProxyAccess>> join_cluster(http::Client& client, std::string folder, std::string node, wire::NodeKey key, wire::JoinCode code) {
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, http::Endpoint::parse(code.http));
    const std::string body = json_text({{"token", base64url_encode(code.token)}, {"id", node}, {"key", key.public_key}});
    MemorySource source(body);
    http::ClientRequest request{.method = "POST", .target = "/v1/cluster/join"};
    request.headers.set("Content-Type", "application/json");
    request.body = &source;
    request.deadline = steady_now() + kJoinPatience;
    const auto reply = co_await http::fetch_ok(client, endpoint, request, kAccessBytesMax);
    if (!reply) co_return reply.error().during("cannot join by the proxy at " + code.http);
    // What is kept is what the invitation says, which came by a way that the operator trusts, not what whoever answered says.
    ProxyAccess access{code.control, code.proxy_key};
    MILLRACE_CO_TRY(write_file(access_file(folder), json_text({{"control", access.control}, {"proxy_key", access.proxy_key}}) + "\n"));
    log::info("joined by invitation", {{"proxy", access.control}, {"proxy_key", wire::fingerprint(access.proxy_key)},
                                       {"key", wire::fingerprint(key.public_key)}});
    co_return access;
}

}  // namespace millrace::worker
