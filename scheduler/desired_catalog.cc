#include "scheduler/desired_catalog.h"

#include <algorithm>

#include "core/ids.h"
#include "core/names.h"

namespace millrace::scheduler {
namespace {

template <class Entries>
auto find_named(Entries& entries, const std::string& name) {
    return std::ranges::find_if(entries, [&](const auto& entry) { return entry.name == name; });
}

}  // namespace

Error unknown_bucket(const std::string& name) { return fail(Code::not_found, "bucket \"ais://" + name + "\" does not exist"); }
Error unknown_transform(const std::string& name) { return fail(Code::not_found, "etl job " + name + " does not exist"); }

DesiredCatalog::DesiredCatalog(wire::Catalog catalog, std::map<std::string, std::uint64_t> destroyed_at) : catalog_(std::move(catalog)) {
    for (const std::string& uid : catalog_.destroyed_uids) {
        const auto found = destroyed_at.find(uid);
        destroyed_at_[uid] = found == destroyed_at.end() ? catalog_.version : found->second;
    }
}

const wire::BucketEntry* DesiredCatalog::bucket(const std::string& name) const {
    const auto found = find_named(catalog_.buckets, name);
    return found == catalog_.buckets.end() ? nullptr : &*found;
}

const wire::TransformEntry* DesiredCatalog::transform(const std::string& name) const {
    const auto found = find_named(catalog_.transforms, name);
    return found == catalog_.transforms.end() ? nullptr : &*found;
}

Result<void> DesiredCatalog::check_free(const std::string& bucket_name) const {
    MILLRACE_TRY(validate_bucket_name(bucket_name));
    // Of names that come anew only: to clients that make paths of them they lead upwards, and AIStore takes none of them.
    if (bucket_name.find("..") != std::string::npos) return fail(Code::invalid_argument, "bucket name '" + bucket_name + "' must not contain '..'");
    if (bucket(bucket_name) == nullptr) return {};
    return fail(Code::already_exists, "bucket \"ais://" + bucket_name + "\" already exists");
}

Result<void> DesiredCatalog::create_bucket(const std::string& name, std::uint64_t small_object_bytes_max, std::int64_t now_unix_ns) {
    MILLRACE_TRY(check_free(name));
    wire::BucketEntry entry{name, random_id("bck-"), small_object_bytes_max, now_unix_ns};
    MILLRACE_TRY(wire::check(entry));
    catalog_.buckets.push_back(std::move(entry));
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::destroy_bucket(const std::string& name) {
    const auto found = find_named(catalog_.buckets, name);
    if (found == catalog_.buckets.end()) return unknown_bucket(name);
    ++catalog_.version;
    catalog_.destroyed_uids.push_back(found->uid);
    destroyed_at_[found->uid] = catalog_.version;
    catalog_.buckets.erase(found);
    return {};
}

Result<void> DesiredCatalog::rename_bucket(const std::string& from, const std::string& to) {
    const auto found = find_named(catalog_.buckets, from);
    if (found == catalog_.buckets.end()) return unknown_bucket(from);
    MILLRACE_TRY(check_free(to));
    found->name = to;
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::add_transform(const std::string& name, const std::string& spec_json) {
    MILLRACE_TRY(validate_transform_name(name));
    if (transform(name) != nullptr) {
        return fail(Code::already_exists, "etl job " + name + " already exists; remove it first: millrace etl rm " + name);
    }
    wire::TransformEntry entry{.name = name, .spec_json = spec_json};
    MILLRACE_TRY(wire::check(entry));
    catalog_.transforms.push_back(std::move(entry));
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::remove_transform(const std::string& name) {
    const auto found = find_named(catalog_.transforms, name);
    if (found == catalog_.transforms.end()) return unknown_transform(name);
    catalog_.transforms.erase(found);
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::enable_transform(const std::string& name, bool enabled) {
    const auto found = find_named(catalog_.transforms, name);
    if (found == catalog_.transforms.end()) return unknown_transform(name);
    if (found->enabled == enabled) return {};
    found->enabled = enabled;
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::set_image(const std::string& name, const std::string& image) {
    const auto found = find_named(catalog_.transforms, name);
    if (found == catalog_.transforms.end()) return unknown_transform(name);
    if (!found->image.empty() || image.empty()) return {};
    found->image = image;
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::set_specification(const std::string& name, const std::string& spec_json) {
    const auto found = find_named(catalog_.transforms, name);
    if (found == catalog_.transforms.end()) return unknown_transform(name);
    found->spec_json = spec_json;
    found->image.clear();
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::revoke(wire::RevokedEntry entry, std::int64_t now_unix) {
    std::vector<wire::RevokedEntry> revoked = catalog_.revoked;
    const auto is_over = [&](const wire::RevokedEntry& old) {
        return old.until_unix <= now_unix || (old.token == entry.token && old.subject == entry.subject);
    };
    std::erase_if(revoked, is_over);
    if (revoked.size() >= kRevokedMax) {
        return fail(Code::overloaded, std::to_string(kRevokedMax) + " tokens are revoked that have not expired: sign with another key, and take this one out "
            "of auth_key");
    }
    revoked.push_back(std::move(entry));
    catalog_.revoked = std::move(revoked);
    ++catalog_.version;
    return {};
}

bool DesiredCatalog::drop_destroyed(std::uint64_t applied_by_all) {
    return std::erase_if(catalog_.destroyed_uids, [&](const std::string& uid) {
        const auto found = destroyed_at_.find(uid);
        if (found == destroyed_at_.end() || found->second > applied_by_all) return false;
        destroyed_at_.erase(found);
        return true;
    }) > 0;
}

void DesiredCatalog::overtake(const wire::Catalog& of_targets, std::uint64_t version_seen, std::uint64_t lives) {
    constexpr std::uint64_t kBeyond = 1'000'000;
    const std::uint64_t version = std::max({catalog_.version, of_targets.version, version_seen}) + kBeyond * lives;
    const std::vector<wire::RevokedEntry> revoked = catalog_.revoked;
    if (of_targets.version > catalog_.version) *this = DesiredCatalog(of_targets, std::move(destroyed_at_));
    for (const wire::RevokedEntry& entry : revoked) {
        if (std::ranges::find(catalog_.revoked, entry) == catalog_.revoked.end()) catalog_.revoked.push_back(entry);
    }
    catalog_.version = version;
}

}  // namespace millrace::scheduler
