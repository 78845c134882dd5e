#include "scheduler/job_document.h"

#include "core/json_members.h"

#include <algorithm>

#include "core/hash.h"
#include "core/json.h"
namespace millrace::scheduler {
namespace {

using nlohmann::json;

std::string_view slice_state_name(const Slice& slice, bool online) {
    if (!slice.heard) return online ? "unknown" : "waiting";
    const wire::SliceState state = slice.status.state;
    if (!online && state != wire::SliceState::finished) return "waiting";
    switch (state) {
        case wire::SliceState::preparing: return "preparing";
        case wire::SliceState::ready: return "ready";
        case wire::SliceState::running: return "running";
        case wire::SliceState::stalled: return "stalled";
        case wire::SliceState::paused: return "paused";
        case wire::SliceState::finished: return "finished";
        case wire::SliceState::stopped: return "stopped";
        case wire::SliceState::failed: return "failed";
    }
    return "unknown";
}

json object_counts(const SliceCounters& counters, std::uint64_t total, std::uint64_t unmapped, bool total_known) {
    return {{"total", total}, {"total_known", total_known}, {"done", counters.done}, {"skipped", counters.skipped},
            {"failed", counters.failed}, {"quarantined", counters.quarantined}, {"near_empty", counters.near_empty}, {"unmapped", unmapped}};
}

json byte_counts(const SliceCounters& counters, std::uint64_t total) {
    return {{"total", total}, {"in", counters.bytes_in}, {"out", counters.bytes_out}, {"moved", counters.bytes_moved}};
}

json describe_slice(const Job& job, const std::string& target, const Slice& slice, bool online) {
    const wire::SliceStatus& status = slice.status;
    std::string reason = status.reason;
    if (!online && status.state != wire::SliceState::finished) {
        reason = "its target is offline or refused (see: millrace cluster show); once it has joined the slice goes on by itself";
    }
    if (!slice.loss.empty()) reason += (reason.empty() ? "" : "; ") + slice.loss;
    return {{"target", target}, {"online", online}, {"state", slice_state_name(slice, online)},
            {"current", speaks_of_now(job, slice)}, {"reason", reason},
            {"objects", object_counts(status.counters, status.total_objects, status.total_unmapped, status.total_known)},
            {"bytes", byte_counts(status.counters, status.total_bytes)}, {"attempts", status.counters.attempts},
            {"in_flight", status.in_flight}, {"checkpoint_bytes", status.checkpoint_bytes}, {"outputs_lost", status.outputs_lost}};
}

// What it was about, by epoch: more than one entry after a resume or retry with what was there then.
json describe_pins(const Job& job) {
    json pins = json::array();
    for (const PinnedEpoch& pinned : job.pins) {
        json transforms = json::array();
        for (const wire::PinnedTransform& transform : pinned.pins.transforms) {
            transforms.push_back({{"name", transform.name}, {"digest", checksum_text(transform.digest)}});
        }
        pins.push_back({{"from_epoch", pinned.epoch}, {"source_uid", pinned.pins.source_uid}, {"destination_uid", pinned.pins.destination_uid},
                        {"transforms", std::move(transforms)}});
    }
    return pins;
}

struct Outlook {
    double objects_per_second = 0;
    double bytes_per_second = 0;
    std::optional<double> eta_seconds;
    std::string slowest_target;
};

// The slowest slice decides; one whose rate or total is not known yet makes the whole unknown.
Outlook look_ahead(const LiveJob& live, const IsOnline& is_online) {
    Outlook outlook;
    if (live.job.state != JobState::running) return outlook;
    bool known = true;
    double longest = -1;
    for (const auto& [target, slice] : live.job.slices) {
        const auto found = live.rates.find(target);
        const ProgressRate rate = found == live.rates.end() ? ProgressRate() : found->second;
        const bool finished = speaks_of_now(live.job, slice) && slice.status.state == wire::SliceState::finished;
        if (finished) continue;
        outlook.objects_per_second += rate.objects_per_second();
        outlook.bytes_per_second += rate.bytes_per_second();
        const wire::SliceStatus& status = slice.status;
        const std::uint64_t settled = status.counters.settled();
        std::optional<double> left;
        if (slice.heard && status.total_known && is_online(target)) {
            left = rate.seconds_left(status.total_objects - std::min(settled, status.total_objects),
                                     status.total_bytes - std::min(status.counters.bytes_in, status.total_bytes));
        }
        known = known && left.has_value();
        const double weight = left.value_or(1e18);
        if (weight > longest) {
            longest = weight;
            outlook.slowest_target = target;
        }
    }
    if (known && longest >= 0) outlook.eta_seconds = longest;
    return outlook;
}

std::string json_text(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string job_document(const LiveJob& live, const IsOnline& is_online, Detail detail, std::int64_t now_unix_ns) {
    const Job& job = live.job;
    const JobTotals sum = totals(job);
    const Outlook outlook = look_ahead(live, is_online);
    static constexpr const char* kDryRun[] = {"", "plan", "run"};
    const std::int64_t end = job.finished_unix_ns > 0 ? job.finished_unix_ns : now_unix_ns;
    const std::int64_t begin = job.started_unix_ns > 0 ? job.started_unix_ns : job.created_unix_ns;
    const double elapsed = static_cast<double>(std::max<std::int64_t>(end - begin, 0)) / 1e9;  // the machine's clock may have jumped
    json document{{"id", job.id}, {"operation", operation_name(job.spec.operation)}, {"kind", job.spec.kind}, {"transform", job.spec.transform},
                  {"pipeline", job.spec.pipeline}, {"source", bucket_uri(job.spec.source)}, {"destination", bucket_uri(job.spec.destination)},
                  {"state", job_state_name(job.state)}, {"reason", job.reason}, {"epoch", job.epoch}, {"pass", job.pass},
                  {"dry_run", kDryRun[static_cast<int>(job.spec.dry_run)]},
                  {"created_at", rfc3339(job.created_unix_ns)}, {"started_at", rfc3339(job.started_unix_ns)},
                  {"finished_at", rfc3339(job.finished_unix_ns)}, {"elapsed_seconds", elapsed},
                  {"objects", object_counts(sum.counters, sum.total_objects, sum.total_unmapped, sum.total_known)},
                  {"bytes", byte_counts(sum.counters, sum.total_bytes)}, {"attempts", sum.counters.attempts},
                  {"rate", {{"objects_per_second", outlook.objects_per_second}, {"bytes_per_second", outlook.bytes_per_second}}},
                  {"eta_seconds", outlook.eta_seconds ? json(*outlook.eta_seconds) : json()}, {"slowest_target", outlook.slowest_target},
                  {"outputs_lost", sum.outputs_lost}, {"pins", describe_pins(job)}};
    if (detail == Detail::full) {
        json slices = json::array();
        for (const auto& [target, slice] : job.slices) slices.push_back(describe_slice(job, target, slice, is_online(target)));
        document["slices"] = std::move(slices);
        document["spec"] = json_or_null(job.request_json);
    }
    return json_text(document);
}

std::string slice_document(const LiveJob& live, const std::string& target, const IsOnline& is_online) {
    const auto found = live.job.slices.find(target);
    json document = describe_slice(live.job, target, found == live.job.slices.end() ? Slice{} : found->second, is_online(target));
    document["kind"] = "slice";
    return json_text(document);
}

}  // namespace millrace::scheduler
