#include "worker/object_service.h"

namespace millrace::worker {

ObjectService::ObjectService(store::ObjectStore& store, store::Drafts& drafts, const ClusterView& cluster, Fences& fences,
                             InlineTransform& inline_transform, const TargetConfig& config)
    : store_(store), cluster_(cluster), fences_(fences), gate_(cluster), uploads_(store, drafts, gate_, config.sync_puts),
      copies_(store, cluster, inline_transform, config.sync_puts), sync_puts_(config.sync_puts) {}

Result<void> ObjectService::check(const std::string& bucket, const std::string& name) const {
    MILLRACE_TRY(gate_.owns(name));
    return store_.check_bucket(bucket);
}

Task<Result<store::ObjectInfo>> ObjectService::put(const std::string& bucket, const std::string& name, Source& body, PutOptions options) {
    MILLRACE_CO_TRY(gate_.may_change(name));
    const std::optional<JobPut>& job = options.job;
    const store::BucketRef destination(bucket, job ? std::string_view(job->bucket_uid) : std::string_view());
    store::WriteOptions write;
    write.size = body.size();
    write.expected_checksum = options.expected_checksum;
    write.custom = job ? job->custom : std::move(options.custom);
    write.sync = sync_puts_ && !job;  // a job's outputs are made durable by its checkpoints
    std::optional<Fences::Pass> pass;
    if (job) {
        MILLRACE_CO_TRY(cluster_.may_take_outputs());
        MILLRACE_CO_TRY_ASSIGN(pass, fences_.admit(job->job, job->slice, job->fence));
        write.guard = &*pass;
        write.provenance = job->provenance;
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(destination, name, std::move(write)));
    MILLRACE_CO_TRY(co_await pump(body, *writer));
    co_return co_await writer->commit();
}

Task<Result<Opened>> ObjectService::get(const std::string& bucket, const std::string& name, const GetOptions& options) {
    if (!options.whoever_owns) MILLRACE_CO_TRY(gate_.owns(name));
    Opened opened;
    MILLRACE_CO_TRY_ASSIGN(opened.reader, store_.open(bucket, name));
    if (options.verify) MILLRACE_CO_TRY(co_await store_.verify(bucket, name));
    const std::string tag = entity_tag(opened.reader->info());
    if (options.if_match && *options.if_match != "*" && options.if_match->find(tag) == std::string::npos) {
        opened.what = Opened::What::other;
        opened.refusal = "the object was overwritten: its content is another than that of If-Match";
        co_return opened;
    }
    if (!options.range || (options.if_range && *options.if_range != tag)) co_return opened;
    const Result<std::optional<ByteSpan>> part = options.range(opened.reader->info().size);
    if (!part) {
        opened.what = Opened::What::outside;
        opened.refusal = part.error().context;
    } else if (*part) {
        opened.what = Opened::What::part;
        opened.part = **part;
        MILLRACE_CO_TRY_ASSIGN(opened.reader, store_.open_range(bucket, name, opened.part.offset, opened.part.length));
        if (entity_tag(opened.reader->info()) != tag) co_return fail(Code::transient, "the object was overwritten meanwhile; try again");
    }
    co_return opened;
}

Result<store::ObjectInfo> ObjectService::head(const store::BucketRef& bucket, const std::string& name, bool whoever_owns) const {
    if (!whoever_owns) MILLRACE_TRY(gate_.owns(name));
    return store_.stat(bucket, name);
}

Result<void> ObjectService::erase(const std::string& bucket, const std::string& name) {
    MILLRACE_TRY(gate_.may_change(name));
    return store_.erase(bucket, name);
}

Task<Result<void>> ObjectService::copy(const std::string& bucket, const std::string& name, const ObjectUri& destination,
                                       const std::optional<TransformCall>& through) {
    MILLRACE_CO_TRY(gate_.may_change(name));
    MILLRACE_CO_TRY(store_.check_bucket(bucket));
    const ObjectUri source{bucket, name};
    co_return co_await copies_.run(source, destination, through);
}

Result<store::ObjectInfo> ObjectService::set_custom(const std::string& bucket, const std::string& name, const CustomMetadata& custom, bool replace) {
    MILLRACE_TRY(gate_.may_change(name));
    return store_.set_custom(bucket, name, custom, replace, sync_puts_);
}

}  // namespace millrace::worker
