#include "aistore/job_view.h"

#include <algorithm>
#include <array>

#include "aistore/bucket_identity.h"
#include "core/clock.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;
using scheduler::Job;
using scheduler::JobState;

constexpr const char* kNever = "0001-01-01T00:00:00Z";

bool is_aborted(const Job& job) { return job.state == JobState::failed || job.state == JobState::cancelled; }

std::string abort_reason(const Job& job) {
    if (!is_aborted(job)) return "";
    if (!job.reason.empty()) return job.reason;
    return "the job was cancelled; its results are kept, and it goes on with: millrace job resume " + job.id;
}

std::string error_of(const Job& job) {
    if (is_aborted(job)) return abort_reason(job);
    const SliceCounters counters = scheduler::totals(job).counters;
    const std::uint64_t bad = counters.failed + counters.quarantined;
    if (bad == 0 || !scheduler::is_terminal(job.state)) return "";
    return std::to_string(bad) + (bad == 1 ? " object" : " objects") + " failed; the reasons: millrace job errors " + job.id;
}

std::string end_time(std::int64_t unix_ns) { return unix_ns > 0 ? rfc3339(unix_ns) : kNever; }

json statistics(const SliceCounters& counters) {
    return {{"loc-objs", std::to_string(counters.done)}, {"loc-bytes", std::to_string(counters.bytes_in)}, {"out-objs", "0"},
            {"out-bytes", std::to_string(counters.bytes_moved)}, {"in-objs", "0"}, {"in-bytes", "0"}};
}

// Joggers in the low ten bits, workers in the next ten.
std::string packed_workers(std::uint32_t workers) { return std::to_string(1 | std::min(workers, 1023u) << 10); }

// The name of {"name":…,"provider":…}, where it has one.
Result<void> add_bucket(const json& model, std::set<std::string>& buckets) {
    const Fields fields(model);
    MILLRACE_TRY_ASSIGN(std::string name, fields.text("name"));
    if (!name.empty()) buckets.insert(std::move(name));
    return {};
}

constexpr std::array<std::string_view, 34> kKinds{
    "archive", "blob-download", "cleanup-store", "copy-bck", "copy-listrange", "create-inventory", "delete-listrange", "download", "dsort", "ec-encode",
    "ec-get", "ec-put", "ec-resp", "election", "etl-bck", "etl-inline", "etl-listrange", "evict-listrange", "evict-remote-bck", "get-batch",
    "index-shard", "list", "load-lom-cache", "lru", "make-n-copies", "move-bck", "prefetch-listrange", "promote", "put-copies", "rebalance", "rechunk",
    "resilver", "summary-bck", "summary-shard"};

}  // namespace

Result<JobFilter> parse_job_filter(const json& message) {
    const Fields fields(message);
    JobFilter filter;
    MILLRACE_TRY_ASSIGN(filter.id, fields.text("id"));
    MILLRACE_TRY_ASSIGN(filter.kind, fields.text("kind"));
    MILLRACE_TRY_ASSIGN(filter.target, fields.text("node"));
    MILLRACE_TRY_ASSIGN(std::string node, fields.text("daemonid"));
    if (filter.target.empty()) filter.target = std::move(node);
    MILLRACE_TRY_ASSIGN(filter.active, fields.flag("show_active"));
    if (const json* bucket = fields.find("bck")) MILLRACE_TRY(add_bucket(*bucket, filter.buckets));
    if (const json* buckets = fields.find("buckets"); buckets != nullptr && buckets->is_array()) {
        for (const json& bucket : *buckets) MILLRACE_TRY(add_bucket(bucket, filter.buckets));
    }
    return filter;
}

bool matches(const JobFilter& filter, const Job& job) {
    const bool on_bucket = filter.buckets.empty() || filter.buckets.contains(job.spec.source) || filter.buckets.contains(job.spec.destination);
    return (filter.id.empty() || filter.id == job.id) && (filter.kind.empty() || filter.kind == job_kind(job)) && on_bucket &&
           (filter.target.empty() || job.slices.contains(filter.target)) && !(filter.active && scheduler::is_terminal(job.state));
}

bool has_just_ended(const Job& job, std::int64_t now_unix_ns) {
    return scheduler::is_terminal(job.state) && now_unix_ns - job.finished_unix_ns < std::chrono::nanoseconds(kIdleTime).count();
}

bool is_known_kind(std::string_view kind) { return std::ranges::find(kKinds, kind) != kKinds.end(); }

json empty_snapshot(const std::string& id, const std::string& kind) {
    return {{"id", id}, {"kind", kind}, {"bck", bucket_model("")}, {"src-bck", bucket_model("")}, {"dst-bck", bucket_model("")},
            {"aborted", false}, {"is_idle", true}, {"abort-err", ""}, {"err", ""}, {"glob.id", "1"}, {"ctlmsg", ""}, {"ext", nullptr},
            {"stats", statistics({})}};
}

std::string job_kind(const Job& job) {
    const wire::JobSpec& spec = job.spec;
    if (!spec.kind.empty()) return spec.kind;
    const bool some = spec.has_list || !spec.name_template.empty();
    if (spec.operation == wire::Operation::remove) return "delete-listrange";
    if (spec.operation == wire::Operation::copy) return some ? "copy-listrange" : "copy-bck";
    return some ? "etl-listrange" : "etl-bck";
}

json job_status(const Job& job) {
    return {{"kind", job_kind(job)}, {"uuid", job.id}, {"err", error_of(job)}, {"end_time", job.finished_unix_ns}, {"aborted", is_aborted(job)}};
}

std::vector<std::pair<std::string, json>> job_snapshots(const Job& job) {
    std::vector<std::pair<std::string, json>> snapshots;
    for (const auto& [target, slice] : job.slices) {
        json snap = empty_snapshot(job.id, job_kind(job));
        snap["start-time"] = rfc3339(job.created_unix_ns);
        snap["end-time"] = end_time(job.finished_unix_ns);
        snap["bck"] = bucket_model(job.spec.source);
        if (!job.spec.destination.empty()) {
            snap["src-bck"] = snap["bck"];
            snap["dst-bck"] = bucket_model(job.spec.destination);
        }
        snap["aborted"] = is_aborted(job);
        // A slice that is finished may still have to wait for the others: the job counts.
        snap["is_idle"] = scheduler::is_terminal(job.state);
        snap["abort-err"] = abort_reason(job);
        snap["err"] = error_of(job);
        snap["glob.id"] = packed_workers(job.spec.num_workers);
        snap["stats"] = statistics(slice.status.counters);
        snapshots.emplace_back(target, std::move(snap));
    }
    return snapshots;
}

}  // namespace millrace::aistore
