#include "aistore/api.h"
#include "aistore/bucket_identity.h"
#include "aistore/bucket_props.h"
#include "aistore/bucket_view.h"
#include "aistore/bulk_request.h"
#include "aistore/momentary_job.h"
#include "aistore/node_view.h"
#include "aistore/object_page.h"
#include "core/ids.h"
#include "core/names.h"
#include "scheduler/large_body.h"
#include "scheduler/listing.h"
#include "scheduler/permissions.h"
#include "scheduler/target_calls.h"

namespace millrace::aistore {
using http::Access;

namespace {

using nlohmann::json;

// From about here on a file costs less than the database's log, checksums and flushes.
constexpr std::uint64_t kSmallObjectDefault = 16 << 10;

Result<std::uint64_t> small_object_max(const ActionMessage& message) {
    const Fields fields(message.value);
    if (fields.find("small_object_max") == nullptr) return kSmallObjectDefault;
    MILLRACE_TRY_ASSIGN(const std::int64_t bytes, fields.number("small_object_max"));
    if (bytes < 0) return fail(Code::invalid_argument, "'small_object_max' must not be negative");
    return static_cast<std::uint64_t>(bytes);
}

// The other properties of a new bucket, which have the one value that they have here.
Result<void> check_new_props(json value) {
    if (value.is_object()) value.erase("small_object_max");
    return check_wanted(value, bucket_props({}));
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
    router.add("POST", "/v1/buckets/{bucket}", Access::by_body, do_action);
    router.add("DELETE", "/v1/buckets/{bucket}", Access::by_body, do_action);
    router.add("PATCH", "/v1/buckets/{bucket}", Access::write, [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return set_props(request, response, bucket(path));
    });
    router.add("GET", "/v1/buckets", Access::read, [this](http::Request& request, http::Response& response, const Parameters&) {
        return list_buckets(request, response);
    });
    router.add("GET", "/v1/buckets/{bucket}", Access::read, [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return read(request, response, bucket(path));
    });
    router.add("GET", "/v1/buckets/{bucket}?summary", Access::read, [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return shares(request, response, bucket(path));
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
    const auth::Caller& caller = auth::caller_of(request);
    const bool makes_a_job = is_bulk_action(message.action) && destroys == (message.action == "delete-listrange");
    if (!makes_a_job) MILLRACE_CO_TRY(caller.check(auth::Right::write, bucket));
    request.deed = message.action.substr(0, 100);
    if (message.action == "create-bck" && !destroys) {
        MILLRACE_CO_TRY_ASSIGN(const std::uint64_t small_max, small_object_max(message));
        MILLRACE_CO_TRY(check_new_props(message.value));
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
        MILLRACE_CO_TRY(caller.check(auth::Right::write, renamed));
        MILLRACE_CO_TRY(co_await catalog_.rename_bucket(bucket, renamed));
        const wire::BucketEntry* entry = state_.catalog.bucket(renamed);
        co_return momentary_id({message.action, entry == nullptr ? "" : entry->uid, unix_now_ns()});
    }
    if (makes_a_job) co_return co_await submit(request, std::move(message), bucket, bucket_to);
    co_return unsupported(message.action);
}

Task<Result<std::string>> BucketApi::submit(http::Request& request, ActionMessage message, const std::string& bucket, const std::string& bucket_to) {
    const auth::Right needed = message.action == "delete-listrange" ? auth::Right::write : auth::Right::run;
    MILLRACE_CO_TRY(auth::caller_of(request).check(needed, bucket));  // before anything is said of what there is
    MILLRACE_CO_TRY_ASSIGN(const std::vector<std::string> transforms, transforms_of(message));
    for (const std::string& transform : transforms) {
        if (state_.catalog.transform(transform) == nullptr) co_return scheduler::unknown_transform(transform);
    }
    if (state_.catalog.bucket(bucket) == nullptr) co_return scheduler::unknown_bucket(bucket);
    auto translate = [message = std::move(message), bucket, bucket_to]() -> Result<scheduler::JobRequest> {
        MILLRACE_TRY_ASSIGN(const std::string native, native_job_request(message, bucket, bucket_to));
        return scheduler::parse_job_request(native);
    };
    MILLRACE_CO_TRY_ASSIGN(scheduler::JobRequest job, co_await bodies_.handle(std::move(translate)));
    MILLRACE_CO_TRY(scheduler::check_run(auth::caller_of(request), job.spec));
    MILLRACE_CO_TRY_ASSIGN(const std::string id, co_await jobs_.submit(std::move(job), ""));
    request.deed += " " + id;
    co_return id;
}

// Nothing can be set to another value, so nothing is: set-bprops says whether all of it is so anyway, and reset-bprops is done.
Task<Result<void>> BucketApi::set_props(http::Request& request, http::Response& response, const std::string& bucket) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(ActionMessage message, parse_action(body));
    MILLRACE_CO_TRY(check_provider(request.query, bucket));
    const wire::BucketEntry* entry = state_.catalog.bucket(bucket);
    if (entry == nullptr) co_return scheduler::unknown_bucket(bucket);
    if (message.action != "set-bprops" && message.action != "reset-bprops") co_return unsupported(message.action);
    if (message.value.is_object()) message.value.erase("force");  // whether AIStore should do it although it costs something
    if (message.action == "set-bprops") MILLRACE_CO_TRY(check_wanted(message.value, bucket_props(*entry)));
    co_return co_await response.send(200, {}, "");
}

// {"action":"list"}, as without a message, or "summary-bck", of all or of the one that is named.
Task<Result<void>> BucketApi::list_buckets(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, parse_action(body));
    if (!message.action.empty() && message.action != "list" && message.action != "summary-bck") co_return unsupported(message.action);
    const std::string provider = request.query.get("provider");
    const bool ours = provider.empty() || provider == "ais";
    std::vector<std::string> names;
    if (ours) names = bucket_names(state_.catalog.wire(), message.name);
    std::erase_if(names, [&](const std::string& name) { return !auth::caller_of(request).check(auth::Right::read, name); });
    if (message.action == "summary-bck") co_return co_await summarize(response, std::move(names), message);
    co_return co_await response.send_json(200, bucket_list(names));
}

Task<Result<void>> BucketApi::read(http::Request& request, http::Response& response, const std::string& bucket) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, parse_action(body));
    MILLRACE_CO_TRY(check_provider(request.query, bucket));
    if (message.action.empty() || message.action == "list") co_return co_await list_objects(request, response, bucket, message);
    if (message.action == "summary-bck") {
        if (state_.catalog.bucket(bucket) == nullptr) co_return scheduler::unknown_bucket(bucket);
        std::vector<std::string> only_this{bucket};
        co_return co_await summarize(response, std::move(only_this), message);
    }
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
Task<Result<void>> BucketApi::summarize(http::Response& response, std::vector<std::string> buckets, const ActionMessage& message) {
    const Fields fields(message.value);
    MILLRACE_CO_TRY_ASSIGN(const std::string id, fields.text("uuid"));
    MILLRACE_CO_TRY_ASSIGN(std::string prefix, fields.text("prefix"));
    if (id.empty()) {
        const std::string fresh = summary_id(prefix);
        co_return co_await response.send(202, {}, fresh);
    }
    MILLRACE_CO_TRY_ASSIGN(prefix, summary_prefix(id));
    const std::uint64_t disks = co_await measure_disks();
    std::string document = "[";
    for (const std::string& bucket : buckets) {
        const auto sum = co_await scheduler::summarize_bucket(state_, targets_, bucket, prefix);
        const bool is_gone = !sum && state_.catalog.bucket(bucket) == nullptr;  // meanwhile
        if (is_gone && buckets.size() > 1) continue;
        if (!sum) co_return sum.error();
        document += (document.size() > 1 ? "," : "") + bucket_summary(bucket, *sum, disks);
    }
    document += "]";
    co_return co_await response.send_json(200, document);
}

// What of a target that does not answer is left out: a summary says little by it.
Task<std::uint64_t> BucketApi::measure_disks() {
    const Query nothing;
    std::vector<Result<json>> answers = co_await scheduler::ask_targets(targets_, targets_.ids(), "/v1/worker/vitals", nothing);
    std::vector<json> vitals;
    for (Result<json>& answer : answers) {
        if (answer) vitals.push_back(std::move(*answer));
    }
    co_return disk_bytes(vitals);
}

Task<Result<void>> BucketApi::head(http::Request& request, http::Response& response, const std::string& bucket) {
    const auto known = check_provider(request.query, bucket);
    const wire::BucketEntry* entry = state_.catalog.bucket(bucket);
    if (!known || entry == nullptr) co_return known ? scheduler::unknown_bucket(bucket) : known.error();
    http::Headers headers{{"Ais-Bucket-Props", json_text(bucket_props(*entry))}};
    co_return co_await response.send(200, std::move(headers), "");
}

// What it holds, and what share of it each target has: in words of our own.
Task<Result<void>> BucketApi::shares(http::Request& request, http::Response& response, const std::string& bucket) {
    MILLRACE_CO_TRY_ASSIGN(const scheduler::BucketSummary sum,
                           co_await scheduler::summarize_bucket(state_, targets_, bucket, request.query.get("prefix")));
    co_return co_await response.send_json(200, json_text({{"objects", sum.objects}, {"bytes", sum.bytes}, {"smallest", sum.smallest_bytes},
                                                         {"largest", sum.largest_bytes}, {"targets", sum.objects_by_target}}));
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
    http::Headers headers{{"Ais-Bucket-Props", json_text(bucket_props(*entry))}};
    if (id.empty()) {
        headers.set("Ais-Xaction-Id", summary_id(*of_prefix));
        co_return co_await response.send(202, std::move(headers), "");
    }
    const auto sum = co_await scheduler::summarize_bucket(state_, targets_, bucket, *of_prefix);
    if (!sum) co_return sum.error();
    const std::uint64_t disks = co_await measure_disks();
    headers.set("Ais-Xaction-Id", id);
    headers.set("Ais-Bucket-Summ", bucket_summary(bucket, *sum, disks));
    co_return co_await response.send(200, std::move(headers), "");
}

}  // namespace millrace::aistore
