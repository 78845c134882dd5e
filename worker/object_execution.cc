#include "worker/object_execution.h"

#include "core/hash.h"
#include "core/names.h"
#include "core/uri.h"
#include "worker/near_empty.h"
#include "worker/remote_output.h"

namespace millrace::worker {
namespace {

using Outcome = std::expected<ExecutionResult, Failure>;

class NullSink final : public Sink {
public:
    Task<Result<void>> write(std::span<const std::byte>) override { co_return Result<void>{}; }
};

std::unexpected<Failure> failed(Blame blame, Error error) { return std::unexpected(Failure{blame, std::move(error), {}}); }

// Where the result should have gone.
Outcome at(const TargetId& owner, Outcome outcome) {
    if (!outcome) outcome.error().sink = owner.str();
    return outcome;
}

store::Provenance provenance_of(const SliceContext& slice, const TransformChain& transforms, const std::string& name, const store::ObjectInfo& source) {
    return {.job = slice.job.str(), .epoch = slice.epoch, .source_bucket = slice.spec.source, .source_name = name,
            .source_version = source.version, .source_checksum = source.checksum,
            .transform_digest = transforms.empty() ? 0 : xxh64(slice.spec.args, transforms.digest())};
}

bool same_origin(const store::Provenance& a, const store::Provenance& b) {
    return a.source_bucket == b.source_bucket && a.source_name == b.source_name && a.source_version == b.source_version &&
           a.source_checksum == b.source_checksum && a.transform_digest == b.transform_digest;
}

// What was created after the job was submitted is not part of it, though it has the name of an object that is.
Task<Outcome> remove(const SliceContext& slice, const std::string& name) {
    const bool is_dry = slice.spec.dry_run != wire::DryRun::no;
    const Result<store::ObjectInfo> removed = co_await (is_dry ? slice.source->stat(name)
                                                               : slice.sink->erase(name, slice.created_seq_end, slice.guard.get()));
    const bool is_gone = removed ? removed->created_seq >= slice.created_seq_end : removed.error().code == Code::not_found;
    if (is_gone) co_return ExecutionResult{.skipped = true};
    if (!removed) co_return failed(Blame::sink, removed.error());
    co_return ExecutionResult{.bytes_in = removed->size};
}

// One that was created after the submit is as good as gone, whatever was there before.
Result<void> check_selected(const SliceContext& slice, const std::string& name, const store::ObjectInfo& info) {
    if (info.created_seq < slice.created_seq_end) return {};
    return fail(Code::not_found, "object \"ais://" + slice.spec.source + "/" + name + "\"" + " was stored after the job was submitted, and is not part of it");
}

// That the source bucket is not here (yet) is not the object's fault.
std::unexpected<Failure> not_opened(const Error& error) {
    return failed(error.code == Code::unavailable ? Blame::sink : Blame::source, error);
}

// Whether the policy leaves what is there. An output of this very job never counts as there: it may be being made again.
bool keeps_existing(const SliceContext& slice, const store::Provenance& wanted, const store::ObjectInfo& existing) {
    if (existing.provenance && existing.provenance->job == slice.job.str()) return false;
    if (slice.spec.overwrite == wire::Overwrite::never) return true;
    return existing.provenance && same_origin(*existing.provenance, wanted);
}

// What is known of the destination, wherever it is; nullopt when it does not exist.
Task<Result<std::optional<store::ObjectInfo>>> find_existing(const SliceContext& slice, Lane& lane, const TargetId& owner, const std::string& name) {
    if (owner == slice.cluster.self()) {
        auto info = co_await slice.sink->stat(name);
        if (info) co_return std::optional(std::move(*info));
        if (info.error().code == Code::not_found) co_return std::optional<store::ObjectInfo>();
        co_return info.error();
    }
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, slice.cluster.endpoint(owner));
    http::ClientRequest request{.method = "HEAD", .target = "/v1/objects/" + slice.spec.destination + "/" + encode_object_path(name)};
    if (!slice.pins.destination_uid.empty()) request.headers.set("Millrace-Bucket-Uid", slice.pins.destination_uid);
    request.deadline = steady_now() + std::chrono::seconds(10);
    slice.cluster.prove(request, owner);
    MILLRACE_CO_TRY_ASSIGN(const http::Reply reply, co_await http::fetch(*lane.client, endpoint, request));
    if (reply.status == 404) co_return std::optional<store::ObjectInfo>();
    if (reply.status != 200) co_return fail(Code::unavailable, "the owner answered " + std::to_string(reply.status));
    store::ObjectInfo info;
    MILLRACE_CO_TRY_ASSIGN(const std::optional<JobPut> made, read_job_headers(reply.headers));
    if (made) info.provenance = made->provenance;
    co_return std::optional(std::move(info));
}

struct Work {
    const SliceContext& slice;
    Lane& lane;
    const TransformChain& transforms;
    runtime::ObjectRun run;
    milliseconds timeout;
    bool isolated;
    store::ObjectReader& reader;

    Task<runtime::RunResult> feed(Sink& sink) {
        runtime::RunResult ran = co_await transforms.feed(lane, run, timeout, isolated, reader, sink);
        if (ran && refuses(ran->bytes_out)) {
            Error error = fail(Code::rejected, "its result has " + std::to_string(ran->bytes_out) + " bytes, of an object of " +
                std::to_string(reader.info().size) + "; the job refuses that (--empty-output fail)");
            ran = std::unexpected(Failure{Blame::transform, std::move(error), {}});
        }
        if (transforms.reads_by_itself() && co_await changed_meanwhile()) {
            Error error = fail(Code::transient, "the object was overwritten or removed while the transform read it");
            ran = std::unexpected(Failure{Blame::transform, std::move(error), {}});
        }
        co_return ran;
    }

private:
    bool refuses(std::uint64_t bytes_out) const {
        return slice.spec.empty_output == wire::EmptyOutput::fail && !transforms.empty() && is_near_empty(reader.info().size, bytes_out);
    }
    Task<bool> changed_meanwhile() const {
        const auto now = co_await slice.source->stat(run.name);
        co_return !now || now->version != reader.info().version;
    }
};

// A copy is checked against the content that was read, and keeps the metadata.
JobPut put_of(const Work& work, const store::Provenance& provenance) {
    JobPut put{work.slice.job, work.slice.cluster.self(), work.slice.fence, provenance};
    put.bucket_uid = work.slice.pins.destination_uid;
    if (!work.transforms.empty()) return put;
    put.checksum = work.reader.info().checksum;
    put.custom = work.reader.info().custom;
    return put;
}

// A copy that is not what the source's checksum promises was made from a damaged object.
std::unexpected<Failure> not_published(const Error& error) {
    return failed(error.code == Code::checksum_mismatch ? Blame::source : Blame::sink, error);
}

Task<Outcome> make_here(Work& work, const std::string& destination, const store::Provenance& provenance) {
    JobPut put = put_of(work, provenance);
    store::WriteOptions options;
    if (work.transforms.empty()) {
        options.size = work.reader.info().size;
        options.copy_of = work.reader.file_path();
    }
    options.expected_checksum = put.checksum;
    options.custom = std::move(put.custom);
    options.provenance = std::move(put.provenance);
    options.guard = work.slice.guard.get();
    auto writer = co_await work.slice.sink->begin(destination, std::move(options));
    if (!writer) co_return failed(Blame::sink, writer.error());
    const runtime::RunResult ran = co_await work.feed(**writer);
    if (!ran) co_return std::unexpected(ran.error());
    const Result<store::ObjectInfo> published = co_await (*writer)->commit();
    if (!published) co_return not_published(published.error());
    co_return ExecutionResult{.bytes_in = work.reader.info().size, .bytes_out = published->size};
}

Task<Outcome> make_elsewhere(Work& work, const TargetId& owner, const std::string& destination, const store::Provenance& provenance) {
    const auto endpoint = work.slice.cluster.endpoint(owner);
    if (!endpoint) co_return failed(Blame::sink, endpoint.error());
    RemoteOutput output(work.lane, work.slice.cluster, owner, *endpoint);
    const JobPut put = put_of(work, provenance);
    output.begin(work.slice.spec.destination, destination, put);
    work.run.destination = work.slice.spec.destination + '/' + destination;
    const runtime::RunResult ran = co_await work.feed(output.sink());
    if (!ran) {
        co_await output.abort(fail(Code::cancelled, "the transform failed"));
        co_return std::unexpected(ran.error());
    }
    Result<std::string> boot_id = co_await output.finish();
    if (!boot_id) co_return not_published(boot_id.error());
    co_return ExecutionResult{.bytes_in = work.reader.info().size, .bytes_out = ran->bytes_out, .moved_to = owner, .boot_id = std::move(*boot_id)};
}

}  // namespace

Task<Outcome> ObjectExecution::run(const SliceContext& slice, Lane& lane, std::string name, bool isolated) const {
    const wire::JobSpec& spec = slice.spec;
    if (spec.operation == wire::Operation::remove) co_return co_await remove(slice, name);
    const auto transforms = TransformChain::find(transforms_, spool_, slice.chain, slice.pins.transforms);
    if (!transforms) co_return failed(Blame::transform, transforms.error());
    const auto reader = co_await slice.source->open(name);
    if (!reader) co_return not_opened(reader.error());
    if (const auto selected = check_selected(slice, name, (*reader)->info()); !selected) co_return not_opened(selected.error());

    const std::string destination = slice.rename.apply(name);
    if (auto valid = validate_object_name(destination); !valid) co_return failed(Blame::sink, valid.error().during("output name"));
    const Result<Placement> placement = slice.cluster.placement();
    if (!placement) co_return failed(Blame::sink, placement.error());
    const TargetId& owner = *placement->owner(destination);
    const store::Provenance provenance = provenance_of(slice, *transforms, name, (*reader)->info());
    if (spec.overwrite != wire::Overwrite::always && spec.dry_run == wire::DryRun::no) {
        const auto existing = co_await find_existing(slice, lane, owner, destination);
        if (!existing) co_return failed(Blame::sink, existing.error());
        if (*existing && keeps_existing(slice, provenance, **existing)) co_return ExecutionResult{.skipped = true};
    }

    const milliseconds timeout = spec.object_timeout_ms > 0 ? milliseconds(spec.object_timeout_ms) : transforms->timeout();
    Work work{slice, lane, *transforms, {spec.source, name, spec.args}, timeout, isolated, **reader};
    if (spec.dry_run != wire::DryRun::no) {
        NullSink nowhere;
        const runtime::RunResult ran = co_await work.feed(nowhere);
        if (!ran) co_return std::unexpected(ran.error());
        co_return ExecutionResult{.bytes_in = (*reader)->info().size, .bytes_out = ran->bytes_out};
    }
    if (owner == slice.cluster.self()) co_return co_await make_here(work, destination, provenance);
    Outcome made = co_await make_elsewhere(work, owner, destination, provenance);
    co_return at(owner, std::move(made));
}

}  // namespace millrace::worker
