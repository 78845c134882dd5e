#include "worker/object_service.h"

#include "worker/lanes.h"
#include "worker/remote_syncs.h"

namespace millrace::worker {
namespace {

constexpr store::Part kNothing{0, 0};

// An object goes only if its content is still the one that was copied.
class SameContent final : public store::Precondition {
public:
    SameContent(std::string label, std::uint64_t version) : label_(std::move(label)), version_(version) {}
    Result<void> check(const store::ObjectInfo* current) override {
        if (current != nullptr && current->version == version_) return {};
        return fail(Code::conflict, label_ + " was overwritten while it got its new name: what it was has the new one, what it is the old one");
    }

private:
    const std::string label_;
    const std::uint64_t version_;
};

// Fills what it is given as far as the body goes: a file costs by the write.
class FullChunks final : public Source {
public:
    explicit FullChunks(Source& body) : body_(body) {}
    std::optional<std::uint64_t> size() const override { return body_.size(); }
    std::optional<std::string_view> whole() const override { return body_.whole(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        std::size_t filled = 0;
        while (filled < buffer.size()) {
            const std::span<std::byte> rest = buffer.subspan(filled);
            MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await body_.read(rest));
            if (count == 0) break;
            filled += count;
        }
        co_return filled;
    }

private:
    Source& body_;
};

// Decides what is sent of it.
store::Part choose_part(const GetOptions& options, const store::ObjectInfo& info, Opened& opened) {
    using Verdict = http::Conditions::Verdict;
    const http::Validators current = validators_of(info);
    const http::Conditions::Judgement judged = options.conditions.judge(&current, true);
    if (judged.verdict == Verdict::failed) {
        opened.what = Opened::What::other;
        opened.refusal = unfulfilled(judged.header);
        return kNothing;
    }
    opened.what = judged.verdict == Verdict::not_modified ? Opened::What::unchanged : Opened::What::whole;
    if (opened.what == Opened::What::unchanged) return kNothing;
    if (!options.range || !options.conditions.wants_part_of(current)) return {};
    const Result<std::optional<ByteSpan>> part = options.range(info.size);
    if (!part) {
        opened.what = Opened::What::outside;
        opened.refusal = part.error();
        return kNothing;
    }
    if (!*part) return {};
    opened.what = Opened::What::part;
    opened.part = **part;
    return {opened.part.offset, opened.part.length};
}

}  // namespace

ObjectService::ObjectService(store::ObjectStore& store, store::Drafts& drafts, const ClusterView& cluster, Fences& fences,
                             InlineTransform& inline_transform, const TargetConfig& config)
    : store_(store), cluster_(cluster), fences_(fences), gate_(cluster), uploads_(store, drafts, gate_, config.sync_puts),
      copies_(store, cluster, inline_transform, config.sync_puts), sync_puts_(config.sync_puts) {}

Result<void> ObjectService::check(const std::string& bucket, const std::string& name) const {
    MILLRACE_TRY(gate_.owns(name));
    return store_.check_bucket(bucket);
}

Task<Result<store::ObjectInfo>> ObjectService::put(const std::string& bucket, const std::string& name, Source& body, PutOptions options) {
    const std::optional<JobPut>& job = options.job;
    MILLRACE_CO_TRY(job ? gate_.owns(name) : gate_.may_change(name));  // a job waits, whatever keeps this target from taking its outputs
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
    write.condition = options.condition;
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectWriter> writer, store_.begin_write(destination, name, std::move(write)));
    if (options.condition != nullptr) MILLRACE_CO_TRY(look_ahead(destination, name, *options.condition));
    FullChunks chunks(body);
    MILLRACE_CO_TRY(co_await pump(chunks, *writer));
    co_return co_await writer->commit();
}

// So that no body is sent for nothing. What counts is said when it is published.
Result<void> ObjectService::look_ahead(const store::BucketRef& bucket, const std::string& name, store::Precondition& condition) const {
    const Result<store::ObjectInfo> current = store_.stat(bucket, name);
    if (!current && current.error().code != Code::not_found) return current.error();
    return condition.check(current ? &*current : nullptr);
}

Task<Result<Opened>> ObjectService::get(const std::string& bucket, const std::string& name, const GetOptions& options) {
    if (!options.whoever_owns) MILLRACE_CO_TRY(gate_.owns(name));
    Opened opened;
    const store::ChoosePart choose = [&options, &opened](const store::ObjectInfo& info) { return choose_part(options, info, opened); };
    MILLRACE_CO_TRY_ASSIGN(opened.reader, store_.open_part(bucket, name, choose));
    const bool is_sent = opened.what == Opened::What::whole || opened.what == Opened::What::part;
    if (options.verify && is_sent) MILLRACE_CO_TRY(co_await store_.verify(bucket, name));
    co_return opened;
}

Result<store::ObjectInfo> ObjectService::head(const store::BucketRef& bucket, const std::string& name, bool whoever_owns) const {
    if (!whoever_owns) MILLRACE_TRY(gate_.owns(name));
    return store_.stat(bucket, name);
}

Result<void> ObjectService::erase(const std::string& bucket, const std::string& name, store::Precondition* condition) {
    MILLRACE_TRY(gate_.may_change(name));
    return store_.erase(bucket, name, condition);
}

Task<Result<void>> ObjectService::copy(const std::string& bucket, const std::string& name, const ObjectUri& destination,
                                       const std::optional<TransformCall>& through, store::Precondition* condition) {
    MILLRACE_CO_TRY(gate_.may_change(name));
    MILLRACE_CO_TRY(store_.check_bucket(bucket));
    const ObjectUri source{bucket, name};
    co_return co_await copies_.run(source, destination, through, condition);
}

Task<Result<void>> ObjectService::rename(const std::string& bucket, const std::string& name, const std::string& new_name) {
    MILLRACE_CO_TRY(gate_.may_change(name));
    if (new_name == name) co_return fail(Code::invalid_argument, "'" + name + "' is its name already");  // a copy onto itself would go with it
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo before, store_.stat(bucket, name));
    const ObjectUri source{bucket, name};
    const ObjectUri destination{bucket, new_name};
    MILLRACE_CO_TRY(co_await copies_.run(source, destination, std::nullopt, nullptr));
    MILLRACE_CO_TRY_ASSIGN(const std::optional<TargetId> owner, gate_.elsewhere(new_name));
    // Durable there before it goes here: a power cut must not take both.
    http::Client& client = *Lanes::here().client;
    if (owner) {
        MILLRACE_CO_TRY(co_await call_to_sync(client, cluster_, *owner));
    } else {
        MILLRACE_CO_TRY(store_.sync());
    }
    SameContent unchanged("object 'ais://" + bucket + "/" + name + "'", before.version);
    co_return store_.erase(bucket, name, &unchanged);
}

Result<store::ObjectInfo> ObjectService::set_custom(const std::string& bucket, const std::string& name, const CustomMetadata& custom, bool replace,
                                                   store::Precondition* condition) {
    MILLRACE_TRY(gate_.may_change(name));
    return store_.set_custom(bucket, name, custom, replace, sync_puts_, condition);
}

}  // namespace millrace::worker
