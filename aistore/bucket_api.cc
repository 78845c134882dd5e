#include "aistore/api.h"
#include "aistore/bucket_identity.h"
#include "aistore/bucket_view.h"
#include "aistore/bulk_request.h"
#include "aistore/job_view.h"
#include "aistore/object_page.h"
#include "core/ids.h"
#include "core/names.h"
#include "scheduler/large_body.h"
#include "scheduler/listing.h"

namespace millrace::aistore {
using http::Access;

namespace {

// From about here on a file costs less than the database's log, checksums and flushes.
constexpr std::uint64_t kSmallObjectDefault = 16 << 10;

Result<std::uint64_t> small_object_max(const ActionMessage& message) {
    const Fields fields(message.value);
    if (fields.find("small_object_max") == nullptr) return kSmallObjectDefault;
    MILLRACE_TRY_ASSIGN(const std::int64_t bytes, fields.number("small_object_max"));
    if (bytes < 0) return fail(Code::invalid_argument, "'small_object_max' must not be negative");
    return static_cast<std::uint64_t>(bytes);
}

Error unsupported(const std::string& action) {
    return fail(Code::invalid_argument, "the action '" + action.substr(0, 100) + "' is not supported on buckets; aistore/AISTORE.md lists what is");
}

}  // namespace

void BucketApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto bucket = [](const Parameters& path) -> const std::string& { return path.find("bucket")->second; };
    const auto do_action = [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return act(request, response, bucket(path));
    };
    router.add("POST", "/v1/buckets/{bucket}", Access::write, do_action);
    router.add("DELETE", "/v1/buckets/{bucket}", Access::write, do_action);
    router.add("GET", "/v1/buckets", Access::read, [this](http::Request& request, http::Response& response, const Parameters&) {
        return list_buckets(request, response);
    });
    router.add("GET", "/v1/buckets/{bucket}", Access::read, [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return read(request, response, bucket(path));
    });
    router.add("HEAD", "/v1/buckets/{bucket}", Access::read, [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return head(request, response, bucket(path));
    });
    router.add("HEAD", "/v1/buckets/{bucket}?bsumm_remote", Access::read,
               [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return info(request, response, bucket(path), "");
    });
    router.add("HEAD", "/v1/buckets/{bucket}/{prefix...}", Access::read,
               [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return info(request, response, bucket(path), path.find("prefix")->second);
    });
}

// POST and DELETE: what is to be done is in the body.
Task<Result<void>> BucketApi::act(http::Request& request, http::Response& response, const std::string& bucket) {
    const Result<std::string> answer = co_await carry_out(request, bucket);
    if (!answer) co_return answer.error();
    co_return co_await response.send(200, {}, *answer);
}

// The id of a job, or nothing.
Task<Result<std::string>> BucketApi::carry_out(http::Request& request, const std::string& bucket) {
    auto parse = [](std::string body) { return parse_action(body); };
    MILLRACE_CO_TRY_ASSIGN(ActionMessage message, co_await bodies_.read(request, parse));
    MILLRACE_CO_TRY(check_provider(request.query, bucket));
    const std::string bucket_to = request.query.get("bck_to");
    const bool destroys = request.method == "DELETE";
    if (message.action == "create-bck" && !destroys) {
        MILLRACE_CO_TRY_ASSIGN(const std::uint64_t small_max, small_object_max(message));
        MILLRACE_CO_TRY(validate_bucket_name(bucket));
        MILLRACE_CO_TRY(co_await catalog_.create_bucket(bucket, small_max));
        co_return std::string();
    }
    if (message.action == "destroy-bck" && destroys) {
        MILLRACE_CO_TRY(co_await catalog_.destroy_bucket(bucket));
        co_return std::string();
    }
    if (message.action == "move-bck" && !destroys) {
        MILLRACE_CO_TRY_ASSIGN(const std::string renamed, bucket_of_path(bucket_to));
        MILLRACE_CO_TRY(co_await catalog_.rename_bucket(bucket, renamed));
        const wire::BucketEntry* entry = state_.catalog.bucket(renamed);
        co_return move_id(entry == nullptr ? "" : entry->uid, unix_now_ns());
    }
    if (is_bulk_action(message.action) && destroys == (message.action == "delete-listrange")) co_return co_await submit(std::move(message), bucket, bucket_to);
    co_return unsupported(message.action);
}

Task<Result<std::string>> BucketApi::submit(ActionMessage message, const std::string& bucket, const std::string& bucket_to) {
    MILLRACE_CO_TRY_ASSIGN(const std::vector<std::string> transforms, transforms_of(message));
    for (const std::string& transform : transforms) {
        if (state_.catalog.transform(transform) == nullptr) co_return scheduler::unknown_transform(transform);
    }
    if (state_.catalog.bucket(bucket) == nullptr) co_return scheduler::unknown_bucket(bucket);
    auto translate = [message = std::move(message), bucket, bucket_to]() -> Result<scheduler::JobRequest> {
        MILLRACE_TRY_ASSIGN(const std::string native, native_job_request(message, bucket, bucket_to));
        return scheduler::parse_job_request(native);
    };
    MILLRACE_CO_TRY_ASSIGN(scheduler::JobRequest request, co_await bodies_.handle(std::move(translate)));
    co_return co_await jobs_.submit(std::move(request), "");
}

Task<Result<void>> BucketApi::list_buckets(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, parse_action(body));
    const std::string provider = request.query.get("provider");
    const bool ours = provider.empty() || provider == "ais";
    const std::string document = ours ? bucket_list(state_.catalog.wire(), message.name) : "[]";
    co_return co_await response.send_json(200, document);
}

Task<Result<void>> BucketApi::read(http::Request& request, http::Response& response, const std::string& bucket) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, parse_action(body));
    MILLRACE_CO_TRY(check_provider(request.query, bucket));
    if (message.action.empty() || message.action == "list") co_return co_await list_objects(request, response, bucket, message);
    if (message.action == "summary-bck") co_return co_await summarize(response, bucket, message);
    co_return unsupported(message.action);
}

Task<Result<void>> BucketApi::list_objects(http::Request& request, http::Response& response, const std::string& bucket, const ActionMessage& message) {
    auto page = parse_page_request(message, request.query, bucket);
    if (!page) co_return page.error();
    if (page->uuid.empty()) page->uuid = random_id("list-");
    auto listing = co_await scheduler::list_objects(state_, targets_, page->listing);
    if (!listing) co_return listing.error();
    if (request.headers.find("Accept").value_or("").find("application/msgpack") == std::string_view::npos) {
        co_return co_await response.send_json(200, json_page(*listing, *page));
    }
    http::Headers headers{{"Content-Type", "application/msgpack"}};
    const std::string bytes = msgpack_page(*listing, *page);
    co_return co_await response.send(200, std::move(headers), bytes);
}

// The first request of a client gets an id, the second, with the id, the summary.
Task<Result<void>> BucketApi::summarize(http::Response& response, const std::string& bucket, const ActionMessage& message) {
    const Fields fields(message.value);
    const auto id = fields.text("uuid");
    auto prefix = fields.text("prefix");
    if (id && prefix && !id->empty()) prefix = summary_prefix(*id);
    if (!id || !prefix || state_.catalog.bucket(bucket) == nullptr) {
        co_return !id ? id.error() : !prefix ? prefix.error() : scheduler::unknown_bucket(bucket);
    }
    if (id->empty()) {
        const std::string fresh = summary_id(*prefix);
        co_return co_await response.send(202, {}, fresh);
    }
    const auto sum = co_await scheduler::summarize_bucket(state_, targets_, bucket, *prefix);
    if (!sum) co_return sum.error();
    const std::string document = "[" + bucket_summary(bucket, *sum) + "]";
    co_return co_await response.send_json(200, document);
}

Task<Result<void>> BucketApi::head(http::Request& request, http::Response& response, const std::string& bucket) {
    const auto known = check_provider(request.query, bucket);
    const wire::BucketEntry* entry = state_.catalog.bucket(bucket);
    if (!known || entry == nullptr) co_return known ? scheduler::unknown_bucket(bucket) : known.error();
    http::Headers headers{{"Ais-Bucket-Props", bucket_properties(*entry)}};
    co_return co_await response.send(200, std::move(headers), "");
}

// As summarize(), in headers, and with the properties.
Task<Result<void>> BucketApi::info(http::Request& request, http::Response& response, const std::string& bucket, std::string prefix) {
    const std::string id = request.query.get("uuid");
    const auto known = check_provider(request.query, bucket);
    const auto of_prefix = id.empty() ? Result<std::string>(prefix) : summary_prefix(id);
    const wire::BucketEntry* entry = state_.catalog.bucket(bucket);
    if (!known || !of_prefix || entry == nullptr) {
        co_return !known ? known.error() : !of_prefix ? of_prefix.error() : scheduler::unknown_bucket(bucket);
    }
    http::Headers headers{{"Ais-Bucket-Props", bucket_properties(*entry)}};
    if (id.empty()) {
        headers.set("Ais-Xaction-Id", summary_id(*of_prefix));
        co_return co_await response.send(202, std::move(headers), "");
    }
    const auto sum = co_await scheduler::summarize_bucket(state_, targets_, bucket, *of_prefix);
    if (!sum) co_return sum.error();
    headers.set("Ais-Bucket-Summ", bucket_summary(bucket, *sum));
    co_return co_await response.send(200, std::move(headers), "");
}

}  // namespace millrace::aistore
