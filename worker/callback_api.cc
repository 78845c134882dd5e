#include "worker/callback_api.h"

#include "runtime/object_uname.h"

namespace millrace::worker {
using http::Access;


CallbackApi::CallbackApi(ObjectApi& objects, const TransformTable& transforms, std::shared_ptr<runtime::DirectPuts> direct_puts)
    : objects_(objects), transforms_(transforms), direct_puts_(std::move(direct_puts)) {}

void CallbackApi::add_routes(http::Router& router) {
    const auto bind = [this](Task<Result<void>> (CallbackApi::*handler)(http::Request&, http::Response&, const Parameters&)) {
        return [this, handler](http::Request& request, http::Response& response, const Parameters& path) {
            return (this->*handler)(request, response, path);
        };
    };
    constexpr std::string_view kPattern = "/v1/etl/_object/{transform}/{secret}/{uname...}";
    router.add("GET", kPattern, Access::instance, bind(&CallbackApi::get));
    router.add("HEAD", kPattern, Access::instance, bind(&CallbackApi::get));
    router.add("PUT", kPattern, Access::instance, bind(&CallbackApi::put));
}

Result<void> CallbackApi::check(const Parameters& path) const {
    const std::string& name = path.find("transform")->second;
    const std::shared_ptr<const Transform> transform = transforms_.find(name);
    if (!transform) return fail(Code::not_found, "etl job " + name + " does not exist on this target");
    if (!transform->instance->knows_secret(path.find("secret")->second)) {
        return fail(Code::invalid_argument, "the secret in the path is not that of etl job " + name);
    }
    return {};
}

Task<Result<void>> CallbackApi::get(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string& uname = path.find("uname")->second;
    MILLRACE_CO_TRY(check(path));
    const auto object = runtime::parse_uname(uname);
    if (!object) co_return fail(Code::invalid_argument, "'" + uname + "' is not the name of an object: ais/@#/BUCKET/OBJECT");
    co_return co_await objects_.send(request, response, object->bucket, object->object);
}

Task<Result<void>> CallbackApi::put(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string token = request.query.get("uuid");
    MILLRACE_CO_TRY(check(path));
    if (token.empty()) co_return fail(Code::permission, "only the result of an object that was given out may be put here; its address has a uuid");
    const auto delivered = co_await direct_puts_->deliver(token, request);
    if (!delivered) co_return delivered.error();
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::worker
