#include "worker/object_api.h"

#include <nlohmann/json.hpp>

#include "core/names.h"
#include "worker/action_message.h"
#include "worker/job_headers.h"
#include "worker/object_headers.h"

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

// A part of something must not be taken for the whole of it.
Result<void> refuse_lost_parts(const Query& query) {
    for (const auto& [word, needed] : {std::pair("partNumber", "uploadId"), std::pair("append_handle", "append_type")}) {
        if (query.find(word)) return fail(Code::invalid_argument, std::string(word) + " needs " + needed + " in the query");
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

}  // namespace

ObjectApi::ObjectApi(store::ObjectStore& store, store::Drafts& drafts, const ClusterView& cluster, Fences& fences, InlineTransform& inline_transform,
                     const TargetConfig& config, std::string boot_id)
    : store_(store), cluster_(cluster), fences_(fences), inline_(inline_transform), drafts_(store, drafts, cluster.self(), config.sync_puts),
      copies_(store, cluster, inline_transform, config.sync_puts), sync_puts_(config.sync_puts), boot_id_(std::move(boot_id)) {}

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

Task<Result<void>> ObjectApi::answer(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name,
                                     int redirect_status, Handler handler) {
    MILLRACE_CO_TRY(validate_object_name(name));
    MILLRACE_CO_TRY_ASSIGN(const Placement placement, cluster_.placement());
    const TargetId& owner = *placement.owner(name);
    if (owner != cluster_.self()) {
        MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster_.endpoint(owner));
        http::Headers headers{{"Location", endpoint.text() + request.target}};
        co_return co_await response.send(redirect_status, std::move(headers), "");
    }
    if (request.method != "GET" && request.method != "HEAD") MILLRACE_CO_TRY(cluster_.may_change());
    const bool is_pinned = request.headers.find("Millrace-Bucket-Uid").has_value();  // then it is not known here yet, or no more
    if (!is_pinned && !store_.has_bucket(bucket)) co_return unknown_bucket(bucket);
    co_return co_await (this->*handler)(request, response, bucket, name);
}

Error ObjectApi::unknown_bucket(const std::string& bucket) const {
    return fail(Code::not_found, "bucket \"ais://" + bucket + "\" does not exist");
}

Task<Result<void>> ObjectApi::put(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (request.query.find("object_to")) co_return co_await copy(request, response, bucket, name);
    // A part of an upload may be appended to: then the request says both.
    if (request.query.find("uploadId")) co_return co_await drafts_.put_part(request, response, bucket, name);
    if (request.query.find("append_type")) co_return co_await drafts_.append(request, response, bucket, name);
    MILLRACE_CO_TRY(refuse_lost_parts(request.query));
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo stored, co_await store_body(request, bucket, name));
    http::Headers headers = object_headers(stored, cluster_.self());
    headers.set("Millrace-Boot", boot_id_);
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> ObjectApi::copy(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const Result<void> copied = co_await copies_.run(request.query, bucket, name);
    if (copied) co_return co_await response.send(200, {}, "");
    co_return co_await response.send_error(copied.error(), inline_status(copied.error().code));
}

Task<Result<store::ObjectInfo>> ObjectApi::store_body(http::Request& request, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const std::optional<JobPut> job, read_job_headers(request.headers));
    const store::BucketRef destination(bucket, job ? std::string_view(job->bucket_uid) : std::string_view());
    store::WriteOptions options;
    options.size = request.size();
    MILLRACE_CO_TRY_ASSIGN(options.expected_checksum, expected_checksum(request.headers));
    MILLRACE_CO_TRY_ASSIGN(options.custom, custom_metadata(request.headers));
    options.sync = sync_puts_ && !job;  // a job's outputs are made durable by its checkpoints
    std::optional<Fences::Pass> pass;
    if (job) {
        MILLRACE_CO_TRY(cluster_.may_take_outputs());
        MILLRACE_CO_TRY_ASSIGN(pass, fences_.admit(job->job, job->slice, job->fence));
        options.guard = &*pass;
        options.provenance = job->provenance;
        options.custom = job->custom;
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(destination, name, std::move(options)));
    MILLRACE_CO_TRY(co_await pump(request, *writer));
    co_return co_await writer->commit();
}

Task<Result<void>> ObjectApi::get(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(refuse_archive_members(request.query));
    if (request.query.get("etl_name").empty()) co_return co_await send_object(request, response, bucket, name);
    co_return co_await inline_.serve(request, response, bucket, name);
}

Task<Result<void>> ObjectApi::head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const store::BucketRef meant(bucket, request.headers.find("Millrace-Bucket-Uid").value_or(""));
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo info, store_.stat(meant, name));
    http::Headers headers = object_headers(info, cluster_.self());
    add_place_headers(headers, cluster_.self(), bucket, name);
    co_return co_await response.send_head(200, std::move(headers), info.size);
}

Task<Result<void>> ObjectApi::send(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    co_return co_await (request.method == "HEAD" ? head(request, response, bucket, name) : send_object(request, response, bucket, name));
}

Task<Result<void>> ObjectApi::send_object(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    if (request.query.get("verify") == "true") MILLRACE_CO_TRY(co_await store_.verify(bucket, name));
    http::Headers headers = object_headers(reader->info(), cluster_.self());
    const std::uint64_t size = reader->info().size;
    const std::string tag = entity_tag(reader->info());
    if (const auto wanted = request.headers.find("If-Match"); wanted && *wanted != "*" && wanted->find(tag) == wanted->npos) {
        headers = {{"ETag", tag}, {"Content-Type", "text/plain"}};
        co_return co_await response.send(412, std::move(headers), "the object was overwritten: its content is another than that of If-Match\n");
    }
    // A part is of use to this client only if it is of the content that it has the rest of.
    const auto condition = request.headers.find("If-Range");
    const auto range = http::parse_range(condition && *condition != tag ? std::nullopt : request.headers.find("Range"), size);
    if (!range) {
        headers = {{"Content-Range", "bytes */" + std::to_string(size)}, {"Content-Type", "text/plain"}};
        co_return co_await response.send(416, std::move(headers), range.error().context + "\n");
    }
    int status = 200;
    std::uint64_t length = size;
    if (*range) {
        const http::ByteRange part = **range;
        MILLRACE_CO_TRY_ASSIGN(reader, store_.open_range(bucket, name, part.offset, part.length));
        if (entity_tag(reader->info()) != tag) co_return fail(Code::transient, "the object was overwritten meanwhile; try again");
        headers.set("Content-Range", "bytes " + std::to_string(part.offset) + "-" + std::to_string(part.offset + part.length - 1) + "/" + std::to_string(size));
        status = 206;
        length = part.length;
    }
    if (const auto whole = reader->whole()) co_return co_await response.send(status, std::move(headers), *whole);
    MILLRACE_CO_TRY(co_await response.start(status, std::move(headers), length));
    MILLRACE_CO_TRY(co_await pump(*reader, response));
    co_return co_await response.finish();
}

Task<Result<void>> ObjectApi::remove(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (request.query.find("uploadId")) co_return co_await drafts_.abort(request, response, bucket, name);
    MILLRACE_CO_TRY(co_await refuse_other_deletions(request));
    MILLRACE_CO_TRY(store_.erase(bucket, name));
    co_return co_await response.send(200, {}, "");
}

// An upload that is aborted without its id must not take the object with it.
Task<Result<void>> ObjectApi::refuse_other_deletions(http::Request& request) const {
    if (request.size() == 0) co_return Result<void>{};
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    if (message.action != "mpt-abort") co_return Result<void>{};
    co_return fail(Code::invalid_argument, "mpt-abort needs uploadId in the query");
}

Task<Result<void>> ObjectApi::command(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    co_return co_await drafts_.command(request, response, bucket, name);
}

Task<Result<void>> ObjectApi::patch(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    MILLRACE_CO_TRY_ASSIGN(const CustomMetadata custom, custom_of(message.value));
    const bool replace = request.query.get("set-new-custom") == "true";
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo changed, store_.set_custom(bucket, name, custom, replace, sync_puts_));
    http::Headers headers = object_headers(changed, cluster_.self());
    co_return co_await response.send(200, std::move(headers), "");
}

}  // namespace millrace::worker
