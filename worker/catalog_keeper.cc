#include "worker/catalog_keeper.h"

#include <algorithm>

#include "core/log.h"

namespace millrace::worker {
namespace {

constexpr auto kPauseMin = milliseconds(1000);
constexpr auto kPauseMax = std::chrono::seconds(60);

}  // namespace

CatalogKeeper::CatalogKeeper(store::ObjectStore& store, TargetState& state, ApplyTransforms transforms)
    : store_(store), state_(state), transforms_(std::move(transforms)) {
    if (state_.wanted().version != 0) next_try_ = {};
}

void CatalogKeeper::take(const wire::Catalog& catalog, Instant now) {
    pause_ = {};
    (void)apply(catalog, now);
}

bool CatalogKeeper::tick(Instant now) {
    if (now < next_try_) return false;
    const wire::Catalog wanted = state_.wanted();
    return apply(wanted, now);
}

bool CatalogKeeper::apply(const wire::Catalog& wanted, Instant now) {
    Change change{wanted, state_.catalog(), {}};
    const std::size_t known_before = change.known.buckets.size();
    destroy(change);
    rename(change);
    // Known as gone, or under its new name, before a bucket of the same name comes: a crash in between must not take that one for it.
    Result<void> written = Result<void>();
    if (change.known.buckets.size() != known_before || !std::ranges::equal(change.known.buckets, state_.catalog().buckets, {}, &wire::BucketEntry::name,
                                                                           &wire::BucketEntry::name)) {
        written = state_.set_catalogs(change.known, state_.wanted());
    }
    std::vector<wire::TransformEntry> transforms;
    if (written) {
        for (const wire::BucketEntry& bucket : wanted.buckets) create(change, bucket);
        for (const wire::TransformEntry& transform : wanted.transforms) {
            if (const auto valid = wire::check(transform); !valid) {
                change.problems.push_back({transform.name, valid.error().context});
            } else {
                transforms.push_back(transform);
            }
        }
        change.known.version = wanted.version;
        change.known.destroyed_uids = wanted.destroyed_uids;
        change.known.transforms = transforms;
        written = state_.set_catalogs(change.known, change.problems.empty() ? wire::Catalog{} : wanted);
    }
    if (!written) change.problems.push_back({"", "the catalog could not be written down: " + written.error().context});
    const bool changed = change.problems != problems_;
    if (changed) {
        for (const wire::CatalogProblem& problem : change.problems) {
            log::error("catalog not applied", {{"entry", problem.name}, {"version", wanted.version}, {"reason", problem.reason}});
        }
    }
    problems_ = std::move(change.problems);
    pause_ = std::clamp<Duration>(2 * pause_, kPauseMin, kPauseMax);
    next_try_ = problems_.empty() || state_.wanted().version == 0 ? Instant::max() : now + pause_;
    if (written) transforms_(transforms);
    return changed;
}

void CatalogKeeper::destroy(Change& change) {
    std::erase_if(change.known.buckets, [&](const wire::BucketEntry& bucket) {
        const auto& gone = change.wanted.destroyed_uids;
        if (std::ranges::find(gone, bucket.uid) == gone.end()) return false;
        const auto name = store_.bucket_of_uid(bucket.uid);
        if (!name) return true;
        if (auto destroyed = store_.destroy_bucket(*name); !destroyed) {
            change.problems.push_back({*name, "it could not be destroyed: " + destroyed.error().context});
            return false;
        }
        log::info("bucket destroyed", {{"bucket", *name}});
        return true;
    });
}

// All at once, so that names can be exchanged.
void CatalogKeeper::rename(Change& change) {
    std::vector<wire::BucketEntry> buckets = change.known.buckets;
    std::vector<store::BucketRenaming> renamings;
    for (wire::BucketEntry& bucket : buckets) {
        const auto wanted = std::ranges::find(change.wanted.buckets, bucket.uid, &wire::BucketEntry::uid);
        if (wanted == change.wanted.buckets.end() || wanted->name == bucket.name || !wire::check(*wanted)) continue;
        renamings.push_back({bucket.uid, std::exchange(bucket.name, wanted->name), wanted->name});
    }
    // A bucket that nobody knows any more gives its name away.
    for (wire::BucketEntry& bucket : buckets) {
        const bool is_known = std::ranges::find(change.wanted.buckets, bucket.uid, &wire::BucketEntry::uid) != change.wanted.buckets.end();
        const bool is_taken = std::ranges::find(change.wanted.buckets, bucket.name, &wire::BucketEntry::name) != change.wanted.buckets.end();
        const bool is_destroyed = std::ranges::find(change.wanted.destroyed_uids, bucket.uid) != change.wanted.destroyed_uids.end();
        if (is_known || !is_taken || is_destroyed) continue;
        const std::string aside = "lost-" + bucket.uid.substr(0, 48);
        renamings.push_back({bucket.uid, bucket.name, aside});
        log::warn("a bucket that the catalog does not know any more is kept under another name", {{"bucket", bucket.name}, {"name", aside}});
        bucket.name = aside;
    }
    if (renamings.empty()) return;
    if (auto renamed = store_.rename_buckets(renamings); !renamed) {
        for (const store::BucketRenaming& renaming : renamings) {
            change.problems.push_back({renaming.to, "bucket '" + renaming.from + "' could not be renamed: " + renamed.error().context});
        }
        return;
    }
    change.known.buckets = std::move(buckets);
    for (const store::BucketRenaming& renaming : renamings) log::info("bucket renamed", {{"bucket", renaming.from}, {"name", renaming.to}});
}

void CatalogKeeper::create(Change& change, const wire::BucketEntry& bucket) {
    const auto valid = wire::check(bucket);
    const auto problem = [&](const std::string& reason) { change.problems.push_back({bucket.name, reason}); };
    if (!valid) return problem(valid.error().context);
    auto& known = change.known.buckets;
    const auto same = std::ranges::find(known, bucket.uid, &wire::BucketEntry::uid);
    const auto named = std::ranges::find(known, bucket.name, &wire::BucketEntry::name);
    if (named != known.end() && named->uid != bucket.uid) return problem("another bucket still has the name here");
    if (same != known.end() && same->name != bucket.name) return;  // its renaming is the problem
    if (!store_.has_bucket(bucket.name)) {
        if (auto created = store_.create_bucket(bucket.name, bucket.small_object_bytes_max, bucket.uid); !created) return problem(created.error().context);
        log::info("bucket created", {{"bucket", bucket.name}});
    }
    if (same == known.end()) {
        known.push_back(bucket);
    } else {
        *same = bucket;
    }
}

}  // namespace millrace::worker
