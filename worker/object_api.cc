#include "worker/object_api.h"

#include <nlohmann/json.hpp>

#include "auth/caller.h"
#include "auth/node_proof.h"
#include "core/clock.h"
#include "runtime/object_uname.h"
#include "worker/action_message.h"
#include "worker/change_condition.h"
#include "worker/checked_body.h"
#include "worker/job_headers.h"

namespace millrace::worker {
using http::Access;

namespace {

// {"key": "value", …}
Result<CustomMetadata> custom_of(const nlohmann::json& value) {
    const Error wrong = fail(Code::invalid_argument, R"(custom metadata is set with {"action": "", "value": {"key": "value"}}; values are strings)");
    if (!value.is_object()) return wrong;
    CustomMetadata custom;
    for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) return wrong;
        custom.emplace(key, text.get<std::string>());
    }
    return custom;
}

Error lacks(const char* word, const char* needed) { return fail(Code::invalid_argument, std::string(word) + " needs " + needed + " in the query"); }

// A part of something must not be taken for the whole of it.
Result<void> refuse_lost_parts(const Query& query) {
    for (const auto& [word, needed] : {std::pair("partNumber", "uploadId"), std::pair("append_handle", "append_type")}) {
        if (query.find(word)) return lacks(word, needed);
    }
    return {};
}

// Nor the object as it is for what transforms make of it.
Result<void> refuse_lost_transforms(const Query& query) {
    if (const auto name = query.find("etl_name"); name && name->empty()) {
        return fail(Code::invalid_argument, "etl_name is empty: name a transform, or leave it out to get the object as it is");
    }
    if (const std::string rest = ',' + query.get("etl_pipeline") + ','; rest != ",," && rest.find(",,") != rest.npos) {
        return fail(Code::invalid_argument, "etl_pipeline has an empty name: name each transform, or leave it out");
    }
    for (const char* word : {"etl_pipeline", "etl_args"}) {
        if (!query.get(word).empty() && query.get("etl_name").empty()) return lacks(word, "etl_name");
    }
    return {};
}

// AIStore's words for a part of an archive: the whole of it must not be taken for that.
Result<void> refuse_archive_members(const Query& query) {
    for (const char* word : {"archpath", "archregx", "archmode"}) {
        if (query.get(word).empty()) continue;
        return fail(Code::invalid_argument, std::string("'") + word + "' is not supported: archives are objects like others; get the whole of it");
    }
    return {};
}

// An upload that is aborted without its id must not take the object with it.
Task<Result<void>> refuse_other_deletions(http::Request& request) {
    if (request.size() == 0) co_return Result<void>{};
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    if (message.action != "mpt-abort") co_return Result<void>{};
    co_return fail(Code::invalid_argument, "mpt-abort needs uploadId in the query");
}

// ais/@#/BUCKET/OBJECT
Result<ObjectUri> copy_destination(const Query& query) {
    const std::string text = query.get("object_to");
    auto destination = runtime::parse_uname(text);
    if (!destination || destination->object.empty()) return fail(Code::invalid_argument, "object_to must be ais/@#/BUCKET/OBJECT, not '" + text + "'");
    return std::move(*destination);
}

http::Conditions conditions_of(const http::Request& request) { return {request.headers, unix_now_ns() / 1'000'000'000}; }

// Of a result that another target has made. Whoever could say of what slice something is, could fence that slice off.
Result<std::optional<JobPut>> job_of(const http::Request& request) {
    MILLRACE_TRY_ASSIGN(std::optional<JobPut> put, read_job_headers(request.headers));
    const auth::Caller& caller = auth::caller_of(request);
    if (!put || (caller.is_node() && caller.node() == put->slice.str())) return put;
    return fail(Code::permission, "results of a job are stored by the target whose slice it is, not by " + caller.subject());
}

// What is wanted of an object: conditions, and a part.
GetOptions get_options(const http::Request& request) {
    GetOptions options;
    options.verify = request.query.get("verify") == "true";
    options.conditions = conditions_of(request);
    if (const auto text = request.headers.find("Range")) {
        options.range = [header = std::string(*text)](std::uint64_t size) -> Result<std::optional<ByteSpan>> {
            MILLRACE_TRY_ASSIGN(const std::optional<http::ByteRange> range, http::parse_range(header, size));
            return range ? std::optional(ByteSpan{range->offset, range->length}) : std::nullopt;
        };
    }
    return options;
}

// An error about an object, with what is known of it.
Task<Result<void>> refuse(http::Response& response, const Error& error, int status, const store::ObjectInfo& info) {
    http::Headers headers = validator_headers(info);
    if (status == 416) headers.set("Content-Range", "bytes */" + std::to_string(info.size));
    co_return co_await response.send_error(error, status, std::move(headers));
}

// An error of a change.
Task<Result<void>> refuse_change(http::Response& response, const Error& error, const ChangeCondition& condition) {
    if (condition.has_refused()) co_return co_await response.send_error(error, 412);
    co_return error;
}

}  // namespace

void ObjectApi::add_routes(http::Router& router) {
    add_route(router, "PUT", Access::write, 307, &ObjectApi::put);
    add_route(router, "GET", Access::read, 301, &ObjectApi::get);
    add_route(router, "HEAD", Access::read, 307, &ObjectApi::head);
    add_route(router, "DELETE", Access::write, 307, &ObjectApi::remove);
    add_route(router, "POST", Access::write, 307, &ObjectApi::command);
    add_route(router, "PATCH", Access::write, 307, &ObjectApi::patch);
}

void ObjectApi::add_route(http::Router& router, const char* method, http::Access access, int redirect_status, Handler handler) {
    const auto route = [this, redirect_status, handler](http::Request& request, http::Response& response, const http::PathParameters& path) {
        return answer(request, response, path.find("bucket")->second, path.find("name")->second, redirect_status, handler);
    };
    router.add(method, "/v1/objects/{bucket}/{name...}", access, route);
}

namespace {

RequestCounts::Kind kind_of(const http::Request& request) {
    using Kind = RequestCounts::Kind;
    if (request.method == "GET") return Kind::get;
    if (request.method == "HEAD") return Kind::head;
    if (request.method == "DELETE") return Kind::remove;
    if (request.method != "PUT") return Kind::other;
    return request.query.find("append_type") ? Kind::append : Kind::put;
}

// "dir/": clients look whether an object is behind what may be a folder. None can be.
bool names_a_folder(const http::Request& request, const std::string& name) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    return reads && name.ends_with('/') && validate_object_name(std::string_view(name).substr(0, name.size() - 1));
}

}  // namespace

Task<Result<void>> ObjectApi::answer(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                     int redirect_status, Handler handler) {
    if (names_a_folder(request, name)) co_return fail(Code::not_found, "object \"ais://" + bucket + "/" + name + "\" does not exist");
    MILLRACE_CO_TRY_ASSIGN(const std::optional<TargetId> owner, objects_.gate().elsewhere(name));
    if (owner) {
        MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster_.endpoint(*owner));
        http::Headers headers{{"Location", endpoint.text() + auth::redirected(request, *cluster_.keys(), owner->str(), request.target)}};
        co_return co_await response.send(redirect_status, std::move(headers), "");
    }
    const Instant began = steady_now();
    Result<void> outcome = co_await (this->*handler)(request, response, bucket, name);
    counts_.ended(kind_of(request), outcome.has_value(), steady_now() - began);
    co_return outcome;
}

Task<Result<void>> ObjectApi::put(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (request.query.find("object_to")) co_return co_await copy(request, response, bucket, name);
    // A part of an upload may be appended to: then the request says both.
    if (request.query.find("uploadId")) co_return co_await drafts_.put_part(request, response, bucket, name);
    if (request.query.find("append_type")) co_return co_await drafts_.append(request, response, bucket, name);
    MILLRACE_CO_TRY(refuse_lost_parts(request.query));
    if (request.query.find("etl_name")) {
        co_return fail(Code::invalid_argument, "an object is stored as it is sent: transforms run on GET, in copies (object_to) and in jobs");
    }
    PutOptions options;
    MILLRACE_CO_TRY_ASSIGN(options.job, job_of(request));
    MILLRACE_CO_TRY_ASSIGN(const ExpectedContent expected, expected_content(request.headers));
    options.expected_checksum = expected.checksum;
    MILLRACE_CO_TRY_ASSIGN(options.custom, custom_metadata(request.headers));
    ChangeCondition condition(conditions_of(request));
    options.condition = condition.if_any();
    CheckedBody body(request, expected.digest);
    const Result<store::ObjectInfo> stored = co_await objects_.put(bucket, name, body, std::move(options));
    if (!stored) co_return co_await refuse_change(response, stored.error(), condition);
    counts_.stored(stored->size);
    http::Headers headers = object_headers(*stored, cluster_.self());
    headers.set("Millrace-Boot", boot_id_);
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> ObjectApi::copy(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const auto destination = copy_destination(request.query);
    MILLRACE_CO_TRY(refuse_lost_transforms(request.query));
    const std::optional<TransformCall> through = transform_call(request.query);
    ChangeCondition condition(conditions_of(request));
    Result<void> copied;
    if (!destination) {
        copied = destination.error();
    } else {
        copied = co_await objects_.copy(bucket, name, *destination, through, condition.if_any());
    }
    if (condition.has_refused()) co_return co_await response.send_error(copied.error(), 412);
    if (copied) co_return co_await response.send(200, {}, "");
    co_return co_await response.send_error(copied.error(), inline_status(copied.error().code));
}

Task<Result<void>> ObjectApi::get(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(refuse_archive_members(request.query));
    MILLRACE_CO_TRY(refuse_lost_transforms(request.query));
    if (!transform_call(request.query)) co_return co_await send_content(request, response, bucket, name, false);
    MILLRACE_CO_TRY(objects_.check(bucket, name));
    co_return co_await inline_.serve(request, response, bucket, name);
}

Task<Result<void>> ObjectApi::head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(refuse_lost_transforms(request.query));
    if (!transform_call(request.query)) co_return co_await send_head(request, response, bucket, name, false);
    MILLRACE_CO_TRY(objects_.check(bucket, name));
    co_return co_await inline_.head(request, response, bucket, name);
}

Task<Result<void>> ObjectApi::send(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    co_return co_await (request.method == "HEAD" ? send_head(request, response, bucket, name, true) : send_content(request, response, bucket, name, true));
}

Task<Result<void>> ObjectApi::send_head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                        bool whoever_owns) {
    const store::BucketRef meant(bucket, request.headers.find("Millrace-Bucket-Uid").value_or(""));
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo info, objects_.head(meant, name, whoever_owns));
    const http::Validators current = validators_of(info);
    const http::Conditions::Judgement judged = conditions_of(request).judge(&current, true);
    if (judged.verdict == http::Conditions::Verdict::not_modified) co_return co_await response.send(304, validator_headers(info), "");
    if (judged.verdict == http::Conditions::Verdict::failed) {
        const Error error = unfulfilled(judged.header);
        co_return co_await refuse(response, error, 412, info);
    }
    http::Headers headers = object_headers(info, cluster_.self());
    add_place_headers(headers, cluster_.self(), bucket, name);
    MILLRACE_CO_TRY(keep_properties(headers, request.query.get("props")));
    co_return co_await response.send_head(200, std::move(headers), info.size);
}

Task<Result<void>> ObjectApi::send_content(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                           bool whoever_owns) {
    GetOptions options = get_options(request);
    options.whoever_owns = whoever_owns;
    MILLRACE_CO_TRY_ASSIGN(const Opened opened, co_await objects_.get(bucket, name, options));
    const store::ObjectInfo& info = opened.reader->info();
    if (opened.what == Opened::What::unchanged) co_return co_await response.send(304, validator_headers(info), "");
    if (opened.what == Opened::What::other) co_return co_await refuse(response, opened.refusal, 412, info);
    if (opened.what == Opened::What::outside) co_return co_await refuse(response, opened.refusal, 416, info);
    http::Headers headers = object_headers(info, cluster_.self());
    const bool is_part = opened.what == Opened::What::part;
    const ByteSpan& part = opened.part;
    if (is_part) {
        headers.set("Content-Range", "bytes " + std::to_string(part.offset) + "-" + std::to_string(part.offset + part.length - 1) + "/" +
                                         std::to_string(info.size));
    }
    if (!whoever_owns) counts_.sent(is_part ? part.length : info.size);
    const int status = is_part ? 206 : 200;
    if (const auto whole = opened.reader->whole()) co_return co_await response.send(status, std::move(headers), *whole);
    MILLRACE_CO_TRY(co_await response.start(status, std::move(headers), is_part ? part.length : info.size));
    MILLRACE_CO_TRY(co_await pump(*opened.reader, response));
    co_return co_await response.finish();
}

Task<Result<void>> ObjectApi::remove(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (request.query.find("uploadId")) co_return co_await drafts_.abort(request, response, bucket, name);
    MILLRACE_CO_TRY(co_await refuse_other_deletions(request));
    ChangeCondition condition(conditions_of(request));
    const Result<void> erased = objects_.erase(bucket, name, condition.if_any());
    if (!erased) co_return co_await refuse_change(response, erased.error(), condition);
    co_return co_await response.send(200, {}, "");
}

Task<Result<void>> ObjectApi::command(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    if (message.action == "rename-obj") co_return co_await rename(response, bucket, name, message.name);
    if (message.action == "check-lock") co_return co_await tell_lock(response, bucket, name);
    co_return co_await drafts_.command(message, request, response, bucket, name);
}

Task<Result<void>> ObjectApi::rename(http::Response& response, const std::string& bucket, const std::string& name, const std::string& new_name) {
    if (new_name.empty()) co_return fail(Code::invalid_argument, "rename-obj needs the new name in 'name'");
    const Instant began = steady_now();
    Result<void> renamed = co_await objects_.rename(bucket, name, new_name);
    counts_.ended(RequestCounts::Kind::rename, renamed.has_value(), steady_now() - began);
    if (!renamed) co_return renamed;
    co_return co_await response.send(200, {}, "");
}

// Nobody locks an object here: whoever reads one keeps what was there when it began, and what is written is seen when it is whole.
Task<Result<void>> ObjectApi::tell_lock(http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(objects_.head(bucket, name));
    co_return co_await response.send(202, {}, "");
}

Task<Result<void>> ObjectApi::patch(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    MILLRACE_CO_TRY_ASSIGN(const CustomMetadata custom, custom_of(message.value));
    const bool replace = request.query.get("set-new-custom") == "true";
    ChangeCondition condition(conditions_of(request));
    const Result<store::ObjectInfo> changed = objects_.set_custom(bucket, name, custom, replace, condition.if_any());
    if (!changed) co_return co_await refuse_change(response, changed.error(), condition);
    co_return co_await response.send(200, object_headers(*changed, cluster_.self()), "");
}

}  // namespace millrace::worker
