#include "worker/object_copy.h"

#include <boost/asio/this_coro.hpp>

#include "core/hash.h"
#include "core/names.h"
#include "runtime/object_uname.h"
#include "worker/object_headers.h"
#include "worker/remote_output.h"

namespace millrace::worker {
namespace {

Result<ObjectUri> destination_of(const Query& query) {
    const std::string text = query.get("object_to");
    auto destination = runtime::parse_uname(text);
    if (!destination || destination->object.empty()) return fail(Code::invalid_argument, "object_to must be ais/@#/BUCKET/OBJECT, not '" + text + "'");
    MILLRACE_TRY(validate_bucket_name(destination->bucket));
    MILLRACE_TRY(validate_object_name(destination->object));
    return std::move(*destination);
}

bool is_plain_copy(const Query& query) { return query.get("etl_name").empty(); }

}  // namespace

Task<Result<void>> ObjectCopy::run(const Query& query, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const ObjectUri destination, destination_of(query));
    if (destination.bucket == bucket && destination.object == name) {
        co_return fail(Code::invalid_argument, "an object cannot be copied onto itself; give another object_to");
    }
    if (!store_.has_bucket(destination.bucket)) co_return fail(Code::not_found, "bucket \"ais://" + destination.bucket + "\" does not exist");
    MILLRACE_CO_TRY_ASSIGN(const Placement placement, cluster_.placement());
    const TargetId& owner = *placement.owner(destination.object);
    if (owner == cluster_.self()) co_return co_await make_here(query, bucket, name, destination);
    // An output that was begun is finished or given up, whatever happens: with waits that must not throw.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    Result<void> made = co_await make_elsewhere(query, bucket, name, destination, owner);
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    co_return made;
}

Task<Result<void>> ObjectCopy::feed(const Query& query, const std::string& bucket, const std::string& name, store::ObjectReader& reader, Sink& sink) {
    if (!is_plain_copy(query)) co_return co_await inline_.transform(query, bucket, name, sink);
    MILLRACE_CO_TRY(co_await pump(reader, sink));
    co_return Result<void>{};
}

Task<Result<void>> ObjectCopy::make_here(const Query& query, const std::string& bucket, const std::string& name, const ObjectUri& destination) {
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    store::WriteOptions options;
    options.sync = sync_puts_;
    if (is_plain_copy(query)) {
        options.size = reader->info().size;
        options.expected_checksum = reader->info().checksum;
        options.custom = reader->info().custom;
        options.copy_of = reader->file_path();
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(destination.bucket, destination.object, std::move(options)));
    MILLRACE_CO_TRY(co_await feed(query, bucket, name, *reader, *writer));
    MILLRACE_CO_TRY(co_await writer->commit());
    co_return Result<void>{};
}

Task<Result<void>> ObjectCopy::make_elsewhere(const Query& query, const std::string& bucket, const std::string& name, const ObjectUri& destination,
                                            const TargetId& owner) {
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster_.endpoint(owner));
    http::Headers headers;
    if (is_plain_copy(query)) {
        headers.add("Ais-Checksum-Type", "xxhash2");
        headers.add("Ais-Checksum-Value", checksum_text(reader->info().checksum));
        if (!reader->info().custom.empty()) headers.add("Millrace-Custom-Md", exact_custom_text(reader->info().custom));
    }
    RemoteOutput output(Lanes::here(), endpoint);
    output.begin(destination.bucket, destination.object, std::move(headers));
    const Result<void> fed = co_await feed(query, bucket, name, *reader, output.sink());
    if (!fed) {
        co_await output.abort(fed.error());
        co_return fed;
    }
    const Result<std::string> stored = co_await output.finish();
    if (!stored) co_return stored.error().during("at the owner of the copy");
    co_return Result<void>{};
}

}  // namespace millrace::worker
