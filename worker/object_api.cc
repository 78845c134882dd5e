#include "worker/object_api.h"

#include <charconv>
#include <ctime>

#include "core/hash.h"
#include "core/names.h"
#include "worker/job_headers.h"

namespace millrace::worker {
namespace {

std::string http_date(std::int64_t unix_ns) {
    const std::time_t seconds = unix_ns / 1'000'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

Result<std::optional<std::uint64_t>> expected_checksum(const http::Headers& headers) {
    const auto value = headers.find("Ais-Checksum-Value");
    const auto type = headers.find("Ais-Checksum-Type");
    if (!value || value->empty() || (type && *type != "xxhash2" && *type != "none")) {
        if (type && *type != "none" && *type != "xxhash2") {
            return fail(Code::invalid_argument, "checksum type '" + std::string(*type) + "' is not supported; send xxhash2 or none");
        }
        return std::optional<std::uint64_t>();
    }
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(value->data(), value->data() + value->size(), number, 16);
    if (value->size() != 16 || parsed.ec != std::errc{} || parsed.ptr != value->data() + value->size()) {
        return fail(Code::invalid_argument, "Ais-Checksum-Value must be 16 hex digits");
    }
    return std::optional(number);
}

}  // namespace

ObjectApi::ObjectApi(store::ObjectStore& store, const ClusterView& cluster, Fences& fences, InlineTransform& inline_transform,
                     const TargetConfig& config, std::string boot_id)
    : store_(store), cluster_(cluster), fences_(fences), inline_(inline_transform), sync_puts_(config.sync_puts), boot_id_(std::move(boot_id)) {}

void ObjectApi::add_routes(http::Router& router) {
    const auto bind = [this](Task<void> (ObjectApi::*handler)(http::Request&, http::Response&, const Parameters&)) {
        return [this, handler](http::Request& request, http::Response& response, const Parameters& path) {
            return (this->*handler)(request, response, path);
        };
    };
    constexpr std::string_view kPattern = "/v1/objects/{bucket}/{name...}";
    router.add("PUT", kPattern, bind(&ObjectApi::put));
    router.add("GET", kPattern, bind(&ObjectApi::get));
    router.add("HEAD", kPattern, bind(&ObjectApi::head));
    router.add("DELETE", kPattern, bind(&ObjectApi::remove));
}

Error ObjectApi::unknown_bucket(const std::string& bucket) const {
    return fail(Code::not_found, "bucket \"ais://" + bucket + "\" does not exist");
}

http::Headers ObjectApi::describe(const store::ObjectInfo& info) const {
    http::Headers headers{{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "bytes"}, {"Ais-Checksum-Type", "xxhash2"},
                          {"Ais-Checksum-Value", checksum_text(info.checksum)}, {"Ais-Version", std::to_string(info.version)},
                          {"Last-Modified", http_date(info.written_unix_ns)}};
    if (info.provenance) {
        add_job_headers(headers, {JobId(info.provenance->job), cluster_.self(), 0, *info.provenance});
        headers.set("Millrace-Source", "ais://" + info.provenance->source_bucket + "/" + std::string(*headers.find("Millrace-Source-Name")));
    }
    return headers;
}

Task<bool> ObjectApi::redirected(http::Request& request, http::Response& response, const std::string& name, int status) {
    const Result<TargetId> owner = cluster_.owner(name);
    if (owner && *owner == cluster_.self()) co_return false;
    const auto endpoint = owner ? cluster_.endpoint(*owner) : Result<http::Endpoint>(owner.error());
    if (!endpoint) {
        (void)co_await response.send_error(endpoint.error());
        co_return true;
    }
    http::Headers headers{{"Location", endpoint->text() + request.target}};
    (void)co_await response.send(status, std::move(headers), "");
    co_return true;
}

Task<void> ObjectApi::put(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string& bucket = path.find("bucket")->second;
    const std::string& name = path.find("name")->second;
    if (auto valid = validate_object_name(name); !valid) {
        (void)co_await response.send_error(valid.error());
        co_return;
    }
    if (co_await redirected(request, response, name, 307)) co_return;
    const Result<store::ObjectInfo> stored = co_await store_body(request, bucket, name);
    if (!stored) {
        (void)co_await response.send_error(stored.error());
        co_return;
    }
    http::Headers headers = describe(*stored);
    headers.set("Millrace-Boot", boot_id_);
    (void)co_await response.send(200, std::move(headers), "");
}

Task<Result<store::ObjectInfo>> ObjectApi::store_body(http::Request& request, const std::string& bucket, const std::string& name) {
    if (!store_.has_bucket(bucket)) co_return unknown_bucket(bucket);
    MILLRACE_CO_TRY_ASSIGN(const std::optional<JobPut> job, read_job_headers(request.headers));
    store::WriteOptions options;
    options.size = request.size();
    MILLRACE_CO_TRY_ASSIGN(options.expected_checksum, expected_checksum(request.headers));
    options.sync = sync_puts_ && !job;  // a job's outputs are made durable by its checkpoints
    if (job) {
        MILLRACE_CO_TRY(fences_.admit(job->job, job->slice, job->fence));
        options.provenance = job->provenance;
        options.custom = job->custom;
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(bucket, name, std::move(options)));
    MILLRACE_CO_TRY(co_await pump(request, *writer));
    if (job) MILLRACE_CO_TRY(fences_.admit(job->job, job->slice, job->fence));
    co_return co_await writer->commit();
}

Task<void> ObjectApi::get(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string& bucket = path.find("bucket")->second;
    const std::string& name = path.find("name")->second;
    if (co_await redirected(request, response, name, 301)) co_return;
    if (!store_.has_bucket(bucket)) {
        (void)co_await response.send_error(unknown_bucket(bucket));
        co_return;
    }
    if (!request.query.get("etl_name").empty()) {
        co_await inline_.serve(request, response, bucket, name);
        co_return;
    }
    co_await send(request, response, bucket, name);
}

Task<void> ObjectApi::send(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (request.method == "HEAD") {
        const auto info = store_.stat(bucket, name);
        (void)co_await (info ? response.send_head(200, describe(*info), info->size) : response.send_error(info.error()));
        co_return;
    }
    const Result<void> sent = co_await send_object(request, response, bucket, name);
    // Once the object has begun, returning without finish() cuts the connection.
    if (!sent && !response.started()) (void)co_await response.send_error(sent.error());
}

Task<Result<void>> ObjectApi::send_object(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    if (request.query.get("verify") == "true") MILLRACE_CO_TRY(co_await store_.verify(bucket, name));
    http::Headers headers = describe(reader->info());
    const std::uint64_t size = reader->info().size;
    const auto range = http::parse_range(request.headers.find("Range"), size);
    if (!range) {
        headers = {{"Content-Range", "bytes */" + std::to_string(size)}, {"Content-Type", "text/plain"}};
        co_return co_await response.send(416, std::move(headers), range.error().context + "\n");
    }
    int status = 200;
    std::uint64_t length = size;
    if (*range) {
        const http::ByteRange part = **range;
        MILLRACE_CO_TRY_ASSIGN(reader, store_.open_range(bucket, name, part.offset, part.length));
        headers.set("Content-Range", "bytes " + std::to_string(part.offset) + "-" + std::to_string(part.offset + part.length - 1) + "/" + std::to_string(size));
        status = 206;
        length = part.length;
    }
    if (const auto whole = reader->whole()) co_return co_await response.send(status, std::move(headers), *whole);
    MILLRACE_CO_TRY(co_await response.start(status, std::move(headers), length));
    MILLRACE_CO_TRY(co_await pump(*reader, response));
    co_return co_await response.finish();
}

Task<void> ObjectApi::head(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string& bucket = path.find("bucket")->second;
    const std::string& name = path.find("name")->second;
    if (co_await redirected(request, response, name, 307)) co_return;
    if (!store_.has_bucket(bucket)) {
        (void)co_await response.send_error(unknown_bucket(bucket));
        co_return;
    }
    co_await send(request, response, bucket, name);
}

Task<void> ObjectApi::remove(http::Request& request, http::Response& response, const Parameters& path) {
    const std::string& bucket = path.find("bucket")->second;
    const std::string& name = path.find("name")->second;
    if (co_await redirected(request, response, name, 307)) co_return;
    const Result<void> erased = store_.has_bucket(bucket) ? store_.erase(bucket, name) : Result<void>(unknown_bucket(bucket));
    if (!erased) {
        (void)co_await response.send_error(erased.error());
        co_return;
    }
    (void)co_await response.send(200, {}, "");
}

}  // namespace millrace::worker
