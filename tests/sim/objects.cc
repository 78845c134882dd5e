#include "tests/sim/objects.h"

#include <algorithm>

namespace millrace::sim {
namespace {

const std::string kSource = "source";

Error dead() { return fail(Code::io, "the process is dead"); }
Error not_simulated() { return fail(Code::internal, "contents are not simulated"); }

store::ObjectInfo info_of(const Source& source) {
    store::ObjectInfo info;
    info.size = source.bytes;
    info.version = source.version;
    info.created_seq = source.created_seq;
    return info;
}

}  // namespace

Objects::Objects(Disk& disk, FolderKv& kv, Random& random, std::uint32_t scan_fails_permille)
    : disk_(&disk), kv_(kv), random_(random), scan_fails_permille_(scan_fails_permille) {}

// Objects are in the same database as orders: after an error that is final it takes neither.
Result<void> Objects::may_write() const {
    if (disk_ == nullptr) return dead();
    if (kv_.is_broken()) return fail(Code::io, "the database takes no more writes until this node is restarted");
    return {};
}

Result<void> Objects::publish(const store::BucketRef& bucket, const std::string& name, const Output& output, const store::ChangeGuard& guard) {
    MILLRACE_TRY(may_write());
    if (disk_->faults.full) return fail(Code::no_space, "the disk is full");
    MILLRACE_TRY(check_bucket(bucket));
    const std::lock_guard changing(guard.lock());
    MILLRACE_TRY(guard.check());
    disk_->outputs[{disk_->uid_of(std::string(bucket.name)), name}].newest = output;
    return {};
}

Result<void> Objects::may_change_buckets() const {
    MILLRACE_TRY(may_write());
    if (disk_->faults.full) return fail(Code::no_space, "the disk is full");
    if (random_.chance(disk_->faults.bucket_fails_permille)) return fail(Code::io, "the disk has a bad day");
    return {};
}

Result<void> Objects::create_bucket(const std::string& bucket, std::uint64_t, const std::string& uid) {
    MILLRACE_TRY(may_change_buckets());
    disk_->buckets[bucket] = uid;
    return {};
}

Result<void> Objects::destroy_bucket(const std::string& bucket) {
    MILLRACE_TRY(may_change_buckets());
    const std::string uid = disk_->uid_of(bucket);
    if (uid.empty()) return fail(Code::not_found, "there is no such bucket");
    std::erase_if(disk_->outputs, [&](const auto& item) { return item.first.first == uid; });
    disk_->buckets.erase(bucket);
    return {};
}

Result<void> Objects::rename_buckets(const std::vector<store::BucketRenaming>& renamings) {
    MILLRACE_TRY(may_change_buckets());
    std::map<std::string, std::string> renamed = disk_->buckets;
    for (const store::BucketRenaming& renaming : renamings) std::erase_if(renamed, [&](const auto& item) { return item.second == renaming.uid; });
    for (const store::BucketRenaming& renaming : renamings) {
        if (!bucket_of_uid(renaming.uid)) continue;
        if (!renamed.emplace(renaming.to, renaming.uid).second) return fail(Code::already_exists, "another bucket keeps the name");
    }
    disk_->buckets = std::move(renamed);
    return {};
}

std::optional<std::string> Objects::bucket_of_uid(const std::string& uid) const {
    if (disk_ == nullptr) return std::nullopt;
    const auto found = std::ranges::find(disk_->buckets, uid, [](const auto& item) { return item.second; });
    return found == disk_->buckets.end() ? std::nullopt : std::optional(found->first);
}

Result<void> Objects::check_bucket(const store::BucketRef& bucket) const {
    if (disk_ == nullptr) return dead();
    const std::string uid = disk_->uid_of(std::string(bucket.name));
    if (uid.empty() && bucket.uid.empty()) return fail(Code::not_found, "there is no such bucket");
    if (uid.empty() || (!bucket.uid.empty() && bucket.uid != uid)) return fail(Code::unavailable, "the bucket is not here");
    return {};
}

std::vector<std::string> Objects::buckets() const {
    std::vector<std::string> names;
    if (disk_ == nullptr) return names;
    for (const auto& [name, uid] : disk_->buckets) names.push_back(name);
    return names;
}

Result<store::ObjectInfo> Objects::stat(const store::BucketRef& bucket, const std::string& name) {
    MILLRACE_TRY(check_bucket(bucket));
    if (bucket.name == kSource) {
        const auto source = disk_->sources.find(name);
        if (source == disk_->sources.end()) return fail(Code::not_found, "there is no such object");
        return info_of(source->second);
    }
    const auto output = disk_->outputs.find({disk_->uid_of(std::string(bucket.name)), name});
    if (output == disk_->outputs.end() || !output->second.newest) return fail(Code::not_found, "there is no such object");
    store::ObjectInfo info;
    info.provenance = store::Provenance{.job = output->second.newest->job, .epoch = output->second.newest->epoch};
    return info;
}

Result<store::ObjectInfo> Objects::erase_created_before(const store::BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end,
                                                        const store::ChangeGuard* guard) {
    MILLRACE_TRY(may_write());
    MILLRACE_TRY_ASSIGN(store::ObjectInfo info, stat(bucket, name));
    const std::lock_guard changing(guard->lock());
    MILLRACE_TRY(guard->check());
    if (!disk_->remove(name, created_seq_end)) return fail(Code::not_found, "it is a new one");
    return info;
}

Result<store::ScanPage> Objects::scan(const store::BucketRef& bucket, const std::string& prefix, const std::string& after, std::size_t objects_max) {
    MILLRACE_TRY(check_bucket(bucket));
    if (random_.chance(scan_fails_permille_)) return fail(Code::unavailable, "the index cannot be read");
    const std::size_t most = std::min<std::size_t>(objects_max, random_.between(1, 60));
    store::ScanPage page;
    auto source = disk_->sources.upper_bound(after);
    for (; source != disk_->sources.end() && page.objects.size() < most; ++source) {
        if (source->first.starts_with(prefix)) page.objects.push_back({source->first, info_of(source->second)});
    }
    page.at_end = source == disk_->sources.end();
    return page;
}

std::uint64_t Objects::next_created_seq() const { return disk_ == nullptr ? 0 : disk_->next_seq; }

Result<void> Objects::sync() {
    if (disk_ == nullptr) return dead();
    MILLRACE_TRY(kv_.sync());
    disk_->sync_outputs();
    return {};
}

Result<std::unique_ptr<store::ObjectReader>> Objects::open(const store::BucketRef&, const std::string&) { return not_simulated(); }
Result<std::unique_ptr<store::ObjectReader>> Objects::open_part(const store::BucketRef&, const std::string&, const store::ChoosePart&) {
    return not_simulated();
}
Result<std::unique_ptr<store::ObjectWriter>> Objects::begin_write(const store::BucketRef&, const std::string&, store::WriteOptions) {
    return not_simulated();
}
Result<void> Objects::erase(const std::string&, const std::string&, store::Precondition*) { return not_simulated(); }
Result<store::ObjectInfo> Objects::set_custom(const std::string&, const std::string&, const std::map<std::string, std::string>&, bool, bool,
                                              store::Precondition*) {
    return not_simulated();
}
Task<Result<void>> Objects::verify(const std::string&, const std::string&) { co_return not_simulated(); }

}  // namespace millrace::sim
