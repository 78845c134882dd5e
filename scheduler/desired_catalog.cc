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
    if (bucket(bucket_name) == nullptr) return {};
    return fail(Code::already_exists, "bucket \"ais://" + bucket_name + "\" already exists");
}

Result<void> DesiredCatalog::create_bucket(const std::string& name, std::uint64_t small_object_bytes_max, std::int64_t now_unix_ns) {
    MILLRACE_TRY(check_free(name));
    catalog_.buckets.push_back({name, random_id("bck-"), small_object_bytes_max, now_unix_ns});
    ++catalog_.version;
    return {};
}

Result<void> DesiredCatalog::destroy_bucket(const std::string& name) {
    const auto found = find_named(catalog_.buckets, name);
    if (found == catalog_.buckets.end()) return unknown_bucket(name);
    catalog_.destroyed_uids.push_back(found->uid);
    catalog_.buckets.erase(found);
    ++catalog_.version;
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
    catalog_.transforms.push_back({name, spec_json, true});
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

}  // namespace millrace::scheduler
