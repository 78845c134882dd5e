#include "worker/job_verification.h"

#include <algorithm>
#include <set>

#include "core/rename.h"
#include "core/uri.h"
#include "state/record.h"
#include "worker/job_headers.h"
#include "worker/lanes.h"
#include "worker/progress_record.h"
#include "worker/selection.h"

namespace millrace::worker {
namespace {

constexpr std::size_t kObjectsMax = 1000;  // of a page
constexpr auto kPageTimeMax = std::chrono::seconds(3);

Error unknown_job(const JobId& job) { return fail(Code::not_found, "job " + job.str() + " has no slice on this target"); }

// Names in a slice's checkpoint that are settled: all of them once the selection is through.
bool is_settled(const Progress& progress, const std::string& name) {
    return progress.phase != Phase::main || name <= progress.watermark || std::ranges::binary_search(progress.settled_ahead, name);
}

std::string made_by(const store::ObjectInfo& info) {
    if (!info.provenance) return "somebody has stored another object under its name";
    return "job " + info.provenance->job + " made it from ais://" + info.provenance->source_bucket + "/" + info.provenance->source_name;
}

}  // namespace

struct JobVerification::Part {
    JobId job;
    wire::JobSpec spec;
    Placement placement;             // of the results
    std::vector<std::string> names;  // settled, and not failed
    std::string last;
    bool at_end = false;
};

Task<Result<JobVerification::Part>> JobVerification::read_part(const JobId& job, const std::string& after) const {
    MILLRACE_CO_TRY_ASSIGN(const std::vector<state::SliceOrder> orders, slices_.orders());
    const auto order = std::ranges::find(orders, job.str(), &state::SliceOrder::job);
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::string> spec_bytes, slices_.spec_bytes(job));
    if (order == orders.end() || !spec_bytes) co_return unknown_job(job);
    Part part{.job = job, .last = after};
    MILLRACE_CO_TRY_ASSIGN(part.spec, state::decode_record<wire::JobSpec>("specification of job " + job.str(), *spec_bytes));
    if (part.spec.dry_run != wire::DryRun::no) co_return fail(Code::conflict, "job " + job.str() + " was a dry run: it has no results");
    if (part.spec.operation != wire::Operation::remove) {
        MILLRACE_CO_TRY_ASSIGN(part.placement, cluster_.placement());
    }
    MILLRACE_CO_TRY_ASSIGN(const std::optional<state::SliceCheckpoint> checkpoint, slices_.checkpoint(job));
    const Progress progress = checkpoint ? from_record(*checkpoint) : Progress{};
    std::shared_ptr<BucketReader> source = buckets_.reader(part.spec.source, "");
    MILLRACE_CO_TRY_ASSIGN(const Selection selection, Selection::make(job, part.spec, order->created_seq_end, std::move(source), slices_));
    FeedRequest request{.after = after, .names_max = kObjectsMax};
    MILLRACE_CO_TRY_ASSIGN(const Selection::Fed fed, co_await selection.feed(std::move(request)));
    MILLRACE_CO_TRY_ASSIGN(const state::SliceStore::LedgerPage ledger, slices_.ledger(job, after, kObjectsMax, UINT64_MAX));
    std::set<std::string> failed;
    for (const auto& [name, row] : ledger.rows) failed.insert(name);
    part.last = fed.scanned_to;
    part.at_end = fed.at_end;
    // More rows than were read lie behind the last one: what is behind it too is for the next page.
    if (!ledger.at_end && ledger.rows.back().first < part.last) {
        part.last = ledger.rows.back().first;
        part.at_end = false;
    }
    for (const FedObject& object : fed.objects) {
        if (object.name > part.last) break;
        if (!failed.contains(object.name) && is_settled(progress, object.name)) part.names.push_back(object.name);
    }
    co_return part;
}

// Where it is not here, the owner is asked; what is damaged says so in `damage`.
Task<Result<std::optional<store::ObjectInfo>>> JobVerification::find(const Part& part, const std::string& name, bool contents,
                                                                     std::string& damage) {
    const std::string& bucket = part.spec.destination;
    const TargetId& owner = *part.placement.owner(name);
    if (owner == cluster_.self()) {
        auto info = store_.stat(bucket, name);
        if (!info && info.error().code == Code::not_found) co_return std::optional<store::ObjectInfo>();
        if (!info) co_return info.error();
        if (contents) {
            const Result<void> whole = co_await store_.verify(bucket, name);
            if (!whole) damage = whole.error().context;
        }
        co_return std::optional(std::move(*info));
    }
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster_.endpoint(owner));
    http::ClientRequest request{.method = "HEAD", .target = "/v1/objects/" + bucket + "/" + encode_object_path(name)};
    request.deadline = steady_now() + std::chrono::seconds(10);
    cluster_.prove(request, owner);
    MILLRACE_CO_TRY_ASSIGN(const http::Reply reply, co_await http::fetch(*Lanes::here().client, endpoint, request));
    if (reply.status == 404) co_return std::optional<store::ObjectInfo>();
    if (reply.status != 200) co_return fail(Code::unavailable, "target " + owner.str() + " answered " + std::to_string(reply.status));
    store::ObjectInfo info;
    MILLRACE_CO_TRY_ASSIGN(const std::optional<JobPut> made, read_job_headers(reply.headers));
    if (made) info.provenance = made->provenance;
    if (contents && reply.headers.find("Content-Length").value_or("0") != "0") {
        // The owner reads all of it before it sends the first byte.
        http::ClientRequest look{.method = "GET", .target = request.target + "?verify=true", .headers = {{"Range", "bytes=0-0"}}};
        look.deadline = steady_now() + std::chrono::minutes(10);
        cluster_.prove(look, owner);
        MILLRACE_CO_TRY_ASSIGN(const http::Reply read, co_await http::fetch(*Lanes::here().client, endpoint, look));
        if (read.status >= 400) damage = "target " + owner.str() + " cannot read it whole: " + read.body.substr(0, 300);
    }
    co_return std::optional(std::move(info));
}

Task<Result<std::optional<VerifiedProblem>>> JobVerification::check_output(const Part& part, const std::string& name, bool contents, bool& kept) {
    using Found = std::optional<VerifiedProblem>;
    const std::string output = part.spec.rename().apply(name);
    std::string damage;
    MILLRACE_CO_TRY_ASSIGN(const std::optional<store::ObjectInfo> info, co_await find(part, output, contents, damage));
    if (!info) co_return Found({name, output, "missing", "it is not there any more"});
    const bool is_ours = info->provenance && info->provenance->job == part.job.str() && info->provenance->source_name == name;
    kept = !is_ours && part.spec.overwrite != wire::Overwrite::always;
    if (!is_ours && !kept) co_return Found({name, output, "replaced", made_by(*info)});
    if (!damage.empty()) co_return Found({name, output, "damaged", damage});
    co_return Found();
}

Task<Result<VerifiedPage>> JobVerification::page(JobId job, std::string after, bool contents) {
    const Instant until = steady_now() + kPageTimeMax;
    auto read = [this, &job, &after] { return read_part(job, after); };
    MILLRACE_CO_TRY_ASSIGN(const Part part, co_await blocking_.run_task(std::move(read)));
    VerifiedPage page{.last = part.last, .at_end = part.at_end};
    for (const std::string& name : part.names) {
        if (page.checked > 0 && steady_now() >= until) {
            page.at_end = false;
            co_return page;
        }
        page.last = name;
        ++page.checked;
        if (part.spec.operation == wire::Operation::remove) {
            if (store_.stat(part.spec.source, name)) page.problems.push_back({name, "", "still there", "the job has not removed it"});
            continue;
        }
        bool kept = false;
        MILLRACE_CO_TRY_ASSIGN(std::optional<VerifiedProblem> problem, co_await check_output(part, name, contents, kept));
        page.kept += kept ? 1 : 0;
        if (problem) page.problems.push_back(std::move(*problem));
    }
    page.last = part.last;
    co_return page;
}

}  // namespace millrace::worker
