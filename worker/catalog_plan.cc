#include "worker/catalog_plan.h"

#include <algorithm>

namespace millrace::worker {

bool CatalogPlan::is_wanted(const std::string& uid) const {
    return std::ranges::find(wanted_.buckets, uid, &wire::BucketEntry::uid) != wanted_.buckets.end();
}

bool CatalogPlan::is_destroyed(const std::string& uid) const { return std::ranges::find(wanted_.destroyed_uids, uid) != wanted_.destroyed_uids.end(); }

std::vector<std::string> CatalogPlan::destructions() const {
    std::vector<std::string> uids;
    for (const wire::BucketEntry& bucket : known_.buckets) {
        if (is_destroyed(bucket.uid)) uids.push_back(bucket.uid);
    }
    return uids;
}

void CatalogPlan::destroyed(const std::string& uid, const std::string& name, const Result<void>& outcome) {
    if (!outcome) {
        problems_.push_back({name, "it could not be destroyed: " + outcome.error().context});
        return;
    }
    std::erase_if(known_.buckets, [&](const wire::BucketEntry& bucket) { return bucket.uid == uid; });
    knows_otherwise_ = true;
}

std::vector<store::BucketRenaming> CatalogPlan::renamings() const {
    std::vector<store::BucketRenaming> renamings;
    for (const wire::BucketEntry& bucket : known_.buckets) {
        const auto wanted = std::ranges::find(wanted_.buckets, bucket.uid, &wire::BucketEntry::uid);
        if (wanted != wanted_.buckets.end() && wanted->name != bucket.name && wire::check(*wanted)) {
            renamings.push_back({bucket.uid, bucket.name, wanted->name});
        }
    }
    // A bucket that nobody knows any more gives its name away.
    for (const wire::BucketEntry& bucket : known_.buckets) {
        const bool is_taken = std::ranges::find(wanted_.buckets, bucket.name, &wire::BucketEntry::name) != wanted_.buckets.end();
        if (is_taken && !is_wanted(bucket.uid) && !is_destroyed(bucket.uid)) {
            renamings.push_back({bucket.uid, bucket.name, "lost-" + bucket.uid.substr(0, 48)});
        }
    }
    return renamings;
}

void CatalogPlan::renamed(const std::vector<store::BucketRenaming>& renamings, const Result<void>& outcome) {
    for (const store::BucketRenaming& renaming : renamings) {
        if (!outcome) {
            problems_.push_back({renaming.to, "bucket '" + renaming.from + "' could not be renamed: " + outcome.error().context});
            continue;
        }
        std::ranges::find(known_.buckets, renaming.uid, &wire::BucketEntry::uid)->name = renaming.to;
        knows_otherwise_ = true;
    }
}

std::vector<wire::BucketEntry> CatalogPlan::creations() {
    std::vector<wire::BucketEntry> buckets;
    for (const wire::BucketEntry& bucket : wanted_.buckets) {
        const auto same = std::ranges::find(known_.buckets, bucket.uid, &wire::BucketEntry::uid);
        const auto named = std::ranges::find(known_.buckets, bucket.name, &wire::BucketEntry::name);
        if (const auto valid = wire::check(bucket); !valid) {
            problems_.push_back({bucket.name, valid.error().context});
        } else if (named != known_.buckets.end() && named->uid != bucket.uid) {
            problems_.push_back({bucket.name, "another bucket still has the name here"});
        } else if (same == known_.buckets.end()) {
            buckets.push_back(bucket);
            known_.buckets.push_back(bucket);
            knows_otherwise_ = true;
        } else if (same->name == bucket.name) {  // else its renaming is the problem
            buckets.push_back(bucket);
        }
    }
    return buckets;
}

void CatalogPlan::created(const wire::BucketEntry& bucket, const Result<void>& outcome) {
    if (!outcome) {
        problems_.push_back({bucket.name, outcome.error().context});
        return;
    }
    *std::ranges::find(known_.buckets, bucket.uid, &wire::BucketEntry::uid) = bucket;
}

void CatalogPlan::finish() {
    known_.version = wanted_.version;
    known_.destroyed_uids = wanted_.destroyed_uids;
    known_.revoked = wanted_.revoked;
    known_.transforms.clear();
    for (const wire::TransformEntry& transform : wanted_.transforms) {
        if (const auto valid = wire::check(transform); !valid) {
            problems_.push_back({transform.name, valid.error().context});
        } else {
            known_.transforms.push_back(transform);
        }
    }
}

}  // namespace millrace::worker
