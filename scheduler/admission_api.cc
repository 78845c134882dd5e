#include "scheduler/admission_api.h"

#include "core/base64.h"
#include "core/json.h"
#include "core/json_members.h"
#include "core/units.h"
#include "wire/node_key.h"

namespace millrace::scheduler {
namespace {

using http::Access;

constexpr std::size_t kAdmissionBodyMax = 4096;
constexpr auto kGoodForMax = std::chrono::hours(7 * 24);

Task<Result<nlohmann::json>> read_document(http::Request& request) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kAdmissionBodyMax));
    if (body.empty()) co_return nlohmann::json::object();
    co_return parse_json(body);
}

}  // namespace

void AdmissionApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    router.add("GET", "/v1/cluster/keys", Access::read, [this](http::Request&, http::Response& response, const Parameters&) { return keys(response); });
    router.add("POST", "/v1/cluster/invitations", Access::manage,
               [this](http::Request& request, http::Response& response, const Parameters&) { return invite(request, response); });
    router.add("POST", "/v1/cluster/join", Access::anyone,
               [this](http::Request& request, http::Response& response, const Parameters&) { return join(request, response); });
    router.add("POST", "/v1/cluster/nodes/{id}/revoke", Access::manage, [this](http::Request&, http::Response& response, const Parameters& path) {
        return revoke(response, path.find("id")->second);
    });
}

Result<void> AdmissionApi::check_is_protected() const {
    if (admission_ != nullptr) return {};
    return fail(Code::conflict, "this proxy asks no node for a key: whoever reaches its control port joins with 'proxy: tcp://HOST:PORT'; "
        "set 'secure_control: true' at the proxy to change that");
}

Task<Result<void>> AdmissionApi::keys(http::Response& response) {
    nlohmann::json nodes = nlohmann::json::array();
    if (admission_ != nullptr) {
        for (const auto& [node, key] : admission_->admission().keys()) nodes.push_back({{"id", node}, {"key", key}, {"fingerprint", wire::fingerprint(key)}});
    }
    const nlohmann::json document{{"secure", admission_ != nullptr}, {"proxy_key", proxy_key_}, {"proxy_fingerprint", wire::fingerprint(proxy_key_)},
                                  {"nodes", std::move(nodes)}};
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> AdmissionApi::invite(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY(check_is_protected());
    if (control_.empty()) co_return fail(Code::unavailable, "the proxy is still starting; try again in a moment");
    MILLRACE_CO_TRY_ASSIGN(const nlohmann::json document, co_await read_document(request));
    const std::string ttl = text_of(document, "ttl", "1h");
    MILLRACE_CO_TRY_ASSIGN(const milliseconds good_for, parse_duration(ttl));
    if (good_for < milliseconds(1) || good_for > kGoodForMax) co_return fail(Code::invalid_argument, "'ttl' must be 1ms to 168h");
    MILLRACE_CO_TRY_ASSIGN(const std::string token, co_await admission_->invite(good_for));
    const std::string code = wire::to_text({http_, control_, proxy_key_, token});
    const nlohmann::json answer{{"code", code}, {"ttl", ttl}};
    co_return co_await response.send_json(200, json_text(answer));
}

Task<Result<void>> AdmissionApi::join(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY(check_is_protected());
    MILLRACE_CO_TRY_ASSIGN(const nlohmann::json document, co_await read_document(request));
    const std::string shown = text_of(document, "token");
    MILLRACE_CO_TRY_ASSIGN(std::string token, base64url_decode(shown));
    std::string node = text_of(document, "id");
    std::string key = text_of(document, "key");
    MILLRACE_CO_TRY(co_await admission_->join(std::move(token), node, std::move(key)));
    const nlohmann::json answer{{"id", node}, {"control", control_}, {"proxy_key", proxy_key_}};
    co_return co_await response.send_json(200, json_text(answer));
}

Task<Result<void>> AdmissionApi::revoke(http::Response& response, const std::string& node) {
    MILLRACE_CO_TRY(check_is_protected());
    std::string id = node;
    MILLRACE_CO_TRY(co_await admission_->revoke(std::move(id)));
    const nlohmann::json answer{{"node", node}, {"message", "node " + node + " takes no part any more; to let it in again: millrace cluster invite"}};
    co_return co_await response.send_json(200, json_text(answer));
}

}  // namespace millrace::scheduler
