#include "tests/sim/disk.h"

#include <algorithm>

#include "spec/transform_spec.h"

namespace millrace::sim {

void Disk::lose_power() {
    sources.merge(removed_);
    removed_.clear();
    std::erase_if(outputs, [](const auto& item) { return !item.second.durable; });
    for (auto& [where, stored] : outputs) stored.newest = stored.durable;
}

std::string Disk::uid_of(const std::string& bucket) const {
    const auto found = std::ranges::find(catalog.buckets, bucket, &wire::BucketEntry::name);
    return found == catalog.buckets.end() ? "" : found->uid;
}

std::uint64_t Disk::digest_of(const std::string& transform) const {
    const auto found = digests.find(transform);
    return found == digests.end() ? 0 : found->second;
}

void Disk::apply(const wire::Catalog& newer) {
    if (newer.version <= catalog.version) return;
    catalog = newer;
    std::erase_if(outputs, [&](const auto& item) { return std::ranges::find(newer.destroyed_uids, item.first.first) != newer.destroyed_uids.end(); });
    digests.clear();
    for (const wire::TransformEntry& entry : newer.transforms) digests[entry.name] = spec::digest(spec::parse_spec(entry.spec_json, entry.name)->spec);
}

Result<void> Disk::put(const Put& put) {
    if (!welcomes(put.output.job, put.output.slice, put.fence)) {
        return fail(Code::stale_epoch, "this output is from a run that was stopped or started again");
    }
    if (full) return fail(Code::no_space, "the disk is full");
    const std::string uid = uid_of(put.bucket);
    if (uid.empty() || uid != put.bucket_uid) return fail(Code::unavailable, "the bucket is not here");
    begin(put.output.job, put.output.slice, put.fence);
    outputs[{uid, put.name}].newest = put.output;
    return {};
}

void Disk::stop(const std::string& job, std::uint64_t epoch) {
    std::uint64_t& floor = fences[{job, "*"}];
    floor = std::max(floor, make_fence(epoch + 1, 0));
}

void Disk::begin(const std::string& job, const std::string& slice, std::uint64_t fence) {
    std::uint64_t& newest = fences[{job, slice}];
    newest = std::max(newest, fence);
}

bool Disk::welcomes(const std::string& job, const std::string& slice, std::uint64_t fence) {
    return fence >= fences[{job, slice}] && fence >= fences[{job, "*"}];
}

bool Disk::remove(const std::string& name, std::uint64_t created_seq_end) {
    const auto found = sources.find(name);
    if (found == sources.end() || found->second.created_seq >= created_seq_end) return false;
    removed_.insert_or_assign(name, found->second);
    sources.erase(found);
    return true;
}

void Disk::sync(const std::string& job, const std::string& slice) {
    ++age;
    sync_removals();
    for (auto& [where, stored] : outputs) {
        if (stored.newest && stored.newest->job == job && stored.newest->slice == slice) stored.durable = stored.newest;
    }
}

Result<void> Disk::write_checkpoint(SliceDisk& slice, const worker::CheckpointWork& work) {
    if (full) return fail(Code::no_space, "the disk is full");
    ++age;
    sync_removals();
    slice.checkpoint = work.progress;
    for (const auto& [name, row] : work.changes) {
        if (row) {
            slice.ledger[name] = *row;
        } else {
            slice.ledger.erase(name);
        }
    }
    return {};
}

}  // namespace millrace::sim
