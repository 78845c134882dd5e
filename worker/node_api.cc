#include "worker/node_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "core/metrics.h"
#include "http/query_number.h"
#include "store/folded_scan.h"
#include "wire/listed_page.h"

namespace millrace::worker {
using http::Access;

namespace {

using nlohmann::json;
constexpr std::size_t kRowsDefault = 1000;
constexpr std::size_t kRowsMax = 10'000;
constexpr std::size_t kSummarizedMax = 200'000;  // in one request

Result<std::size_t> limit_of(const http::Request& request) {
    MILLRACE_TRY_ASSIGN(const std::optional<std::uint64_t> wanted, http::query_number(request.query, "limit"));
    return static_cast<std::size_t>(std::min<std::uint64_t>(wanted.value_or(kRowsDefault), kRowsMax));
}

void add_to(wire::ListedPageWriter& page, const store::ListedObject& object, bool with_custom) {
    const store::ObjectInfo& info = object.info;
    const std::string custom = with_custom && !info.custom.empty() ? wire::packed_custom(info.custom) : "";
    page.add({object.name, false, info.size, info.checksum, info.edition, info.written_unix_ns, custom});
}

std::string without_folding(const store::ScanPage& page, bool with_custom) {
    wire::ListedPageWriter writer;
    for (const store::ListedObject& object : page.objects) add_to(writer, object, with_custom);
    return std::move(writer).finish(page.objects.empty() ? "" : page.objects.back().name, page.at_end);
}

std::string with_folding(const store::FoldedPage& page, bool with_custom) {
    wire::ListedPageWriter writer;
    for (const store::FoldedEntry& entry : page.entries) {
        if (entry.folder) {
            writer.add({.name = entry.object.name, .folder = true});
        } else {
            add_to(writer, entry.object, with_custom);
        }
    }
    return std::move(writer).finish(page.last, page.at_end);
}

// Names and messages come from users and transforms; bytes that are not UTF-8 are replaced rather than refused.
std::string text_of(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

NodeApi::NodeApi(store::ObjectStore& store, Buckets& buckets, state::SliceStore& slices, BlockingPool& blocking, const TransformTable& transforms,
                 const InlineTransform& inline_transform, const ClusterView& cluster, std::string boot_id, std::string exposed)
    : store_(store), slices_(slices), blocking_(blocking), transforms_(transforms), inline_(inline_transform), cluster_(cluster),
      verification_(store, buckets, slices, blocking, cluster), boot_id_(std::move(boot_id)), exposed_(std::move(exposed)) {}

void NodeApi::add_routes(http::Router& router) {
    const auto bind = [this](Task<Result<void>> (NodeApi::*handler)(http::Request&, http::Response&)) {
        return [this, handler](http::Request& request, http::Response& response, const http::PathParameters&) {
            return (this->*handler)(request, response);
        };
    };
    router.add("GET", "/v1/worker/objects", Access::node, bind(&NodeApi::list));
    router.add("GET", "/v1/worker/summary", Access::node, bind(&NodeApi::summary));
    router.add("GET", "/v1/worker/ledger", Access::node, bind(&NodeApi::ledger));
    router.add("GET", "/v1/worker/verify", Access::node, bind(&NodeApi::verify));
    router.add("POST", "/v1/worker/sync", Access::node, bind(&NodeApi::sync));
    router.add("GET", "/v1/worker/logs", Access::node, bind(&NodeApi::logs));
    router.add("GET", "/v1/worker/inline_errors", Access::node, bind(&NodeApi::inline_errors));
    router.add("GET", "/v1/daemon", Access::read, bind(&NodeApi::ask_proxy));
    router.add("GET", "/health", Access::anyone, bind(&NodeApi::health));
    router.add("GET", "/metrics", Access::read, bind(&NodeApi::metrics));
}

Task<Result<void>> NodeApi::list(http::Request& request, http::Response& response) {
    auto scan = [this, &request]() -> Result<std::string> {
        const std::string bucket = request.query.get("bucket");
        const std::string prefix = request.query.get("prefix");
        const std::string after = request.query.get("after");
        const bool with_custom = request.query.get("custom") == "true";
        MILLRACE_TRY_ASSIGN(const std::size_t limit, limit_of(request));
        if (request.query.get("folded").empty()) {
            MILLRACE_TRY_ASSIGN(const store::ScanPage page, store_.scan(bucket, prefix, after, limit));
            return without_folding(page, with_custom);
        }
        MILLRACE_TRY_ASSIGN(const store::FoldedPage page, store::scan_folded(store_, bucket, prefix, after, limit));
        return with_folding(page, with_custom);
    };
    const Result<std::string> page = co_await blocking_.run(std::move(scan));
    if (!page) co_return page.error();
    http::Headers headers{{"Content-Type", "application/msgpack"}};
    co_return co_await response.send(200, std::move(headers), *page);
}

Task<Result<void>> NodeApi::summary(http::Request& request, http::Response& response) {
    auto read = [this, &request] {
        return store::summarize(store_, request.query.get("bucket"), request.query.get("prefix"), request.query.get("after"), kSummarizedMax);
    };
    const Result<store::SummaryPart> sum = co_await blocking_.run(std::move(read));
    if (!sum) co_return sum.error();
    co_return co_await response.send_json(200, text_of({{"objects", sum->objects}, {"bytes", sum->bytes}, {"smallest", sum->smallest_bytes},
                                                    {"largest", sum->largest_bytes}, {"last", sum->last}, {"at_end", sum->at_end}}));
}

Task<Result<void>> NodeApi::ledger(http::Request& request, http::Response& response) {
    const JobId job(request.query.get("job"));
    MILLRACE_CO_TRY_ASSIGN(const std::size_t limit, limit_of(request));
    auto read = [this, &request, &job, limit] { return slices_.ledger(job, request.query.get("after"), limit, UINT64_MAX); };
    const Result<state::SliceStore::LedgerPage> page = co_await blocking_.run(std::move(read));
    if (!page) co_return page.error();
    json rows = json::array();
    for (const auto& [name, row] : page->rows) {
        rows.push_back({{"name", name}, {"class", row.quarantined ? "quarantined" : "failed"}, {"code", code_name(static_cast<Code>(row.code))},
                        {"message", row.message}, {"stderr", row.stderr_tail}, {"attempts", row.attempts}, {"at", rfc3339(row.at_unix_ns)}});
    }
    co_return co_await response.send_json(200, text_of({{"rows", std::move(rows)}, {"last", page->last}, {"at_end", page->at_end}}));
}

Task<Result<void>> NodeApi::verify(http::Request& request, http::Response& response) {
    const Result<VerifiedPage> page = co_await verification_.page(JobId(request.query.get("job")), request.query.get("after"),
                                                                  request.query.get("contents") == "true");
    if (!page) co_return page.error();
    json problems = json::array();
    for (const VerifiedProblem& found : page->problems) {
        problems.push_back({{"object", found.object}, {"output", found.output}, {"problem", found.problem}, {"detail", found.detail}});
    }
    co_return co_await response.send_json(200, text_of({{"problems", std::move(problems)}, {"checked", page->checked}, {"kept", page->kept},
                                                    {"last", page->last}, {"at_end", page->at_end}}));
}

Task<Result<void>> NodeApi::sync(http::Request&, http::Response& response) {
    auto make_durable = [this] { return store_.sync(); };
    MILLRACE_CO_TRY(co_await blocking_.run(std::move(make_durable)));
    http::Headers headers{{"Millrace-Boot", boot_id_}};
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> NodeApi::logs(http::Request& request, http::Response& response) {
    const auto transform = transforms_.find(request.query.get("transform"));
    std::string log = transform ? transform->instance->log_tail() : "";
    const std::uint64_t end = transform ? transform->instance->log_bytes() : 0;
    // Of what the caller has not seen, as much as is kept. A transform that was started anew counts from 0 again.
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::uint64_t> after, http::query_number(request.query, "after", 0));
    const std::uint64_t seen = after.value_or(0);
    const std::uint64_t fresh = seen <= end ? end - seen : end;
    if (fresh < log.size()) log.erase(0, log.size() - static_cast<std::size_t>(fresh));
    co_return co_await response.send_json(200, text_of({{"log", std::move(log)}, {"end", end}}));
}

Task<Result<void>> NodeApi::inline_errors(http::Request& request, http::Response& response) {
    json rows = json::array();
    for (const InlineError& error : inline_.errors(request.query.get("transform"))) {
        rows.push_back({{"object", error.object}, {"code", code_name(error.error.code)}, {"message", error.error.context},
                        {"at", rfc3339(error.at_unix_ns)}});
    }
    co_return co_await response.send_json(200, text_of({{"rows", std::move(rows)}}));
}

Task<Result<void>> NodeApi::ask_proxy(http::Request& request, http::Response& response) {
    const Result<http::Endpoint> proxy = cluster_.proxy();
    if (!proxy) co_return proxy.error();
    // Which node was asked: the proxy would speak of itself.
    const std::string separator = request.target.find('?') == std::string::npos ? "?" : "&";
    http::Headers headers{{"Location", proxy->text() + request.target + separator + "node=" + percent_encode(cluster_.self().str())}};
    co_return co_await response.send(307, std::move(headers), "");
}

void NodeApi::set_obstacle(std::string reason) {
    const std::lock_guard lock(mutex_);
    obstacle_ = std::move(reason);
}

Task<Result<void>> NodeApi::health(http::Request&, http::Response& response) {
    std::string reason;
    {
        const std::lock_guard lock(mutex_);
        reason = !obstacle_.empty() ? obstacle_ : not_ready_;
    }
    json document = reason.empty() ? json{{"ready", true}} : json{{"ready", false}, {"reason", reason}};
    if (!exposed_.empty()) document["insecure"] = json::array({"this target " + exposed_});
    co_return co_await response.send_json(reason.empty() ? 200 : 503, text_of(document));
}

void NodeApi::set_ready(std::string reason_not) {
    const std::lock_guard lock(mutex_);
    not_ready_ = std::move(reason_not);
}

Task<Result<void>> NodeApi::metrics(http::Request&, http::Response& response) {
    transforms_.measure();
    const std::string text = millrace::metrics::prometheus_text();
    http::Headers headers{{"Content-Type", "text/plain; version=0.0.4"}};
    co_return co_await response.send(200, std::move(headers), text);
}

}  // namespace millrace::worker
