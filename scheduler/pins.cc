#include "scheduler/pins.h"

#include <algorithm>

#include "core/hash.h"
#include "scheduler/job_machine.h"
#include "spec/transform_spec.h"

namespace millrace::scheduler {
namespace {

constexpr std::size_t kPinnedEpochsMax = 1000;

std::string with_current(const Job& job, const std::string& again) { return "millrace job " + again + " " + job.id + " --with-current"; }

const std::string* uid_of(const DesiredCatalog& catalog, const std::string& bucket) {
    const wire::BucketEntry* entry = catalog.bucket(bucket);
    return entry == nullptr ? nullptr : &entry->uid;
}

// "… was destroyed" or "… is named ais://other now", and whether the name is another's.
std::string fate_of(const std::string& bucket, const std::string& uid, const DesiredCatalog& catalog) {
    const auto& buckets = catalog.wire().buckets;
    const auto renamed = std::ranges::find(buckets, uid, &wire::BucketEntry::uid);
    const bool is_taken = catalog.bucket(bucket) != nullptr;
    return bucket_uri(bucket) + " (" + uid + ") " + (renamed == buckets.end() ? "was destroyed" : "is named " + bucket_uri(renamed->name) + " now") +
           (is_taken ? ", and another bucket has its name" : "");
}

Result<void> check_source(const Job& job, const std::string& pinned, const DesiredCatalog& catalog) {
    const std::string* now = uid_of(catalog, job.spec.source);
    if (now != nullptr && *now == pinned) return {};
    const bool is_renamed = std::ranges::find(catalog.wire().buckets, pinned, &wire::BucketEntry::uid) != catalog.wire().buckets.end();
    return fail(Code::conflict, "its source " + fate_of(job.spec.source, pinned, catalog) + "; what is elsewhere was not selected by this job: " +
                           (is_renamed ? "give the bucket its name back, or submit a new job" : "submit a new job"));
}

Result<void> check_destination(const Job& job, const std::string& pinned, const DesiredCatalog& catalog, const std::string& again) {
    const std::string* now = uid_of(catalog, job.spec.destination);
    if (pinned.empty() || (now != nullptr && *now == pinned)) return {};
    const std::string made = std::to_string(totals(job).counters.done);
    const std::string uri = bucket_uri(job.spec.destination);
    const std::string first = now == nullptr ? "millrace bucket create " + uri + ", then " : "";
    return fail(Code::conflict, "its destination " + fate_of(job.spec.destination, pinned, catalog) + ". The " + made + " objects that are done are not in " +
                           uri + " and would not be made again: submit a new job for all of them, or put the rest into the bucket of now: " + first +
                           with_current(job, again));
}

Result<void> check_transform(const Job& job, const wire::PinnedTransform& pinned, const wire::PinnedTransform& now, const std::string& again) {
    if (pinned.digest == now.digest) return {};
    return fail(Code::conflict, "transform '" + pinned.name + "' has changed: its digest is " + checksum_text(now.digest) + ", and was " +
                           checksum_text(pinned.digest) + " before; results of two programs would mix. Register the former again, or go on with " +
                           "the one of now: " + with_current(job, again));
}

Result<wire::PinnedTransform> pin_transform(const std::string& name, const DesiredCatalog& catalog) {
    const wire::TransformEntry* entry = catalog.transform(name);
    if (entry == nullptr) return unknown_transform(name);
    MILLRACE_TRY_ASSIGN(const spec::ParsedSpec parsed, spec::parse_spec(entry->spec_json, "transform '" + name + "'"));
    if (parsed.spec.kind == spec::Kind::oci && entry->image.empty()) {
        return fail(Code::unavailable, "transform '" + name + "' has not run on any target yet, so its image is not known; try again when it does");
    }
    return wire::PinnedTransform{name, spec::digest(parsed.spec, entry->image)};
}

// What the job goes on with, when it was told to take what is there.
Result<void> pin_current(Job& job, const DesiredCatalog& catalog) {
    const wire::Pins* before = job.pins.empty() ? nullptr : &job.pins.back().pins;
    if (before != nullptr) MILLRACE_TRY(check_source(job, before->source_uid, catalog));
    auto now = pins_of(job.spec, catalog);
    if (!now) return fail(Code::conflict, now.error().context + "; create or register it first");
    if (before != nullptr && *before == *now) return {};
    if (job.pins.size() >= kPinnedEpochsMax) return fail(Code::conflict, "it went on with something else too often; submit a new job");
    job.pins.push_back({job.epoch, std::move(*now)});
    return {};
}

}  // namespace

Result<wire::Pins> pins_of(const wire::JobSpec& spec, const DesiredCatalog& catalog) {
    wire::Pins pins;
    for (const std::string& name : spec.transforms()) {
        MILLRACE_TRY_ASSIGN(wire::PinnedTransform pinned, pin_transform(name, catalog));
        pins.transforms.push_back(std::move(pinned));
    }
    const std::string* source = uid_of(catalog, spec.source);
    if (source == nullptr) return unknown_bucket(spec.source);
    pins.source_uid = *source;
    if (!spec.writes()) return pins;
    const std::string* destination = uid_of(catalog, spec.destination);
    if (destination == nullptr) return unknown_bucket(spec.destination);
    pins.destination_uid = *destination;
    return pins;
}

Result<void> check_pins(const Job& job, const DesiredCatalog& catalog, const std::string& again) {
    if (job.pins.empty()) return {};
    const wire::Pins& pins = job.pins.back().pins;
    MILLRACE_TRY(check_source(job, pins.source_uid, catalog));
    MILLRACE_TRY(check_destination(job, pins.destination_uid, catalog, again));
    for (const wire::PinnedTransform& pinned : pins.transforms) {
        const auto now = pin_transform(pinned.name, catalog);
        if (!now) return fail(Code::conflict, "transform '" + pinned.name + "' is not registered any more; register it again: millrace etl init");
        MILLRACE_TRY(check_transform(job, pinned, *now, again));
    }
    return {};
}

Result<void> start_again(Job& job, Again how, bool with_current, const DesiredCatalog& catalog, std::int64_t now_unix_ns) {
    Job changed = job;
    MILLRACE_TRY(how == Again::resume ? resume(changed) : retry(changed, now_unix_ns));
    MILLRACE_TRY(with_current ? pin_current(changed, catalog) : check_pins(changed, catalog, how == Again::resume ? "resume" : "retry"));
    job = std::move(changed);
    return {};
}

}  // namespace millrace::scheduler
