#include "worker/vitals_api.h"

#include "core/json_members.h"
#include "core/log_tail.h"
#include "http/query_number.h"

namespace millrace::worker {

using nlohmann::json;

void VitalsApi::add_routes(http::Router& router) {
    router.add("GET", "/v1/worker/vitals", http::Access::node, [this](http::Request&, http::Response& response, const http::PathParameters&) {
        return vitals(response);
    });
    router.add("GET", "/v1/worker/log", http::Access::node, [this](http::Request& request, http::Response& response, const http::PathParameters&) {
        return log(request, response);
    });
}

Task<Result<void>> VitalsApi::vitals(http::Response& response) {
    auto measure = [this] {
        const std::lock_guard lock(mutex_);
        return vitals_.measure();
    };
    json document = co_await blocking_.run(std::move(measure));
    document["requests"] = counts_.document();
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> VitalsApi::log(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY_ASSIGN(const log::Level least, log::parse_level(request.query.get("level", "info")));
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::uint64_t> after, http::query_number(request.query, "after", 0));
    const log::Tail tail = log::tail(least, after.value_or(0));
    co_return co_await response.send_json(200, json_text({{"log", tail.text}, {"end", tail.end}}));
}

}  // namespace millrace::worker
