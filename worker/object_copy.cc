#include "worker/object_copy.h"

#include <boost/asio/this_coro.hpp>

#include "core/hash.h"
#include "worker/object_headers.h"
#include "worker/remote_output.h"

namespace millrace::worker {

Task<Result<void>> ObjectCopy::run(ObjectUri source, ObjectUri destination, std::optional<TransformCall> through, store::Precondition* condition) {
    const Copying copying{std::move(source), std::move(destination), std::move(through), condition};
    const ObjectUri& to = copying.destination;
    MILLRACE_CO_TRY(validate_bucket_name(to.bucket));
    MILLRACE_CO_TRY(validate_object_name(to.object));
    if (to.bucket == copying.source.bucket && to.object == copying.source.object) {
        // As it is it is there already. Transformed, a repeated request would transform its own result.
        if (copying.through) co_return fail(Code::invalid_argument, "an object cannot be transformed onto itself; give another destination");
        MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo there, store_.stat(to.bucket, to.object));
        if (condition != nullptr) MILLRACE_CO_TRY(condition->check(&there));
        co_return Result<void>{};
    }
    MILLRACE_CO_TRY(store_.check_bucket(to.bucket));
    MILLRACE_CO_TRY_ASSIGN(const Placement placement, cluster_.placement());
    const TargetId& owner = *placement.owner(to.object);
    if (owner == cluster_.self()) co_return co_await make_here(copying);
    // An output that was begun is finished or given up, whatever happens: with waits that must not throw.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    Result<void> made = co_await make_elsewhere(copying, owner);
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    co_return made;
}

Result<std::unique_ptr<store::ObjectReader>> ObjectCopy::open(const Copying& copying) const {
    MILLRACE_TRY_ASSIGN(std::unique_ptr<store::ObjectReader> reader, store_.open(copying.source.bucket, copying.source.object));
    if (copying.condition != nullptr) MILLRACE_TRY(copying.condition->check(&reader->info()));
    return reader;
}

Task<Result<void>> ObjectCopy::feed(const Copying& copying, store::ObjectReader& reader, Sink& sink) {
    const ObjectUri& source = copying.source;
    if (copying.through) co_return co_await inline_.transform(*copying.through, source.bucket, source.object, reader, sink);
    MILLRACE_CO_TRY(co_await pump(reader, sink));
    co_return Result<void>{};
}

Task<Result<void>> ObjectCopy::make_here(const Copying& copying) {
    const ObjectUri& to = copying.destination;
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, open(copying));
    store::WriteOptions options;
    options.sync = sync_puts_;
    if (!copying.through) {
        options.size = reader->info().size;
        options.expected_checksum = reader->info().checksum;
        options.custom = reader->info().custom;
        options.copy_of = reader->file_path();
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(to.bucket, to.object, std::move(options)));
    MILLRACE_CO_TRY(co_await feed(copying, *reader, *writer));
    MILLRACE_CO_TRY(co_await writer->commit());
    co_return Result<void>{};
}

Task<Result<void>> ObjectCopy::make_elsewhere(const Copying& copying, const TargetId& owner) {
    const ObjectUri& to = copying.destination;
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, open(copying));
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster_.endpoint(owner));
    http::Headers headers;
    if (!copying.through) {
        headers.add("Ais-Checksum-Type", "xxhash2");
        headers.add("Ais-Checksum-Value", checksum_text(reader->info().checksum));
        if (!reader->info().custom.empty()) headers.add("Millrace-Custom-Md", exact_custom_text(reader->info().custom));
    }
    RemoteOutput output(Lanes::here(), cluster_, owner, endpoint);
    output.begin(to.bucket, to.object, std::move(headers));
    const Result<void> fed = co_await feed(copying, *reader, output.sink());
    if (!fed) {
        co_await output.abort(fed.error());
        co_return fed;
    }
    const Result<std::string> stored = co_await output.finish();
    if (!stored) co_return stored.error().during("at the owner of the copy");
    co_return Result<void>{};
}

}  // namespace millrace::worker
