#include "aistore/bucket_props.h"

#include <algorithm>

#include "aistore/bucket_identity.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/json_members.h"
#include "http/message.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

// "true" and true are the same, and so are "2" and 2.
std::string as_text(const json& value) { return value.is_string() ? value.get<std::string>() : json_text(value); }

const json* find_member(const json& document, const std::string& key) {
    if (!document.is_object()) return nullptr;
    for (const auto& [name, value] : document.items()) {
        if (http::equal_without_case(name, key)) return &value;
    }
    return nullptr;
}

std::string names_of(const json& document) {
    std::string names;
    for (const auto& [name, value] : document.items()) names += (names.empty() ? "" : ", ") + name;
    return names;
}

Error unknown_property(const std::string& path, const json& among) {
    return fail(Code::invalid_argument, "there is no property '" + path + "'; known: " + names_of(among));
}

Result<void> check_value(const std::string& path, const json& wanted, const json& value) {
    if (as_text(wanted) == as_text(value)) return {};
    return fail(Code::invalid_argument, "'" + path + "' is " + json_text(value) + " here and cannot be set to " + json_text(wanted).substr(0, 100) +
        "; aistore/AISTORE.md says what there is no choice of");
}

Result<void> check_members(const std::string& prefix, const json& wanted, const json& document) {
    for (const auto& [name, value] : wanted.items()) {
        const std::string path = prefix + name;
        const json* have = find_member(document, name);
        if (value.is_null()) continue;
        if (have == nullptr) return unknown_property(path, document);
        if (value.is_object() && have->is_object()) {
            MILLRACE_TRY(check_members(path + ".", value, *have));
        } else {
            MILLRACE_TRY(check_value(path, value, *have));
        }
    }
    return {};
}

}  // namespace

json bucket_props(const wire::BucketEntry& bucket) {
    json props{{"provider", "ais"}, {"backend_bck", bucket_model("")}, {"Renamed", ""}, {"features", "0"}, {"access", "18446744073709551615"},
               {"bid", std::to_string(xxh64(bucket.uid) >> 1)}, {"created", std::to_string(bucket.created_unix_ns)},
               {"small_object_max", bucket.small_object_bytes_max}, {"created_at", rfc3339(bucket.created_unix_ns)}};
    props["checksum"] = {{"type", "xxhash2"}, {"validate_cold_get", false}, {"validate_warm_get", true}, {"validate_obj_move", true},
                         {"enable_read_range", false}};
    props["versioning"] = {{"enabled", true}, {"validate_warm_get", false}, {"synchronize", false}};
    props["mirror"] = {{"enabled", false}, {"copies", 1}, {"burst_buffer", 0}};
    props["ec"] = {{"enabled", false}, {"data_slices", 1}, {"parity_slices", 1}, {"objsize_limit", 0}, {"disk_only", false}, {"compression", "never"},
                   {"bundle_multiplier", 0}, {"burst_buffer", 0}};
    props["lru"] = {{"enabled", false}, {"dont_evict_time", "0s"}, {"capacity_upd_time", "0s"}, {"batch_size", 0}};
    props["chunks"] = {{"objsize_limit", "0B"}, {"chunk_size", "0B"}, {"max_monolithic_size", "0B"}};
    props["write_policy"] = {{"data", "immediate"}, {"md", "immediate"}};
    props["rate_limit"] = {{"backend", {{"enabled", false}, {"interval", "0s"}, {"max_tokens", 0}, {"num_retries", 0}}},
                           {"frontend", {{"enabled", false}, {"interval", "0s"}, {"max_tokens", 0}, {"burst_size", 0}}}};
    props["extra"] = {{"aws", json::object()}, {"gcp", json::object()}, {"oci", json::object()}};
    return props;
}

std::string bucket_metadata(const wire::Catalog& catalog, const std::string& cluster_id) {
    json buckets = json::object();
    for (const wire::BucketEntry& bucket : catalog.buckets) buckets[bucket.name] = bucket_props(bucket);
    return json_text({{"providers", {{"ais", {{"@#", std::move(buckets)}}}}}, {"uuid", cluster_id}, {"version", std::to_string(catalog.version)}});
}

Result<void> check_wanted(const json& wanted, const json& document) {
    if (wanted.is_null()) return {};
    if (!wanted.is_object()) return fail(Code::invalid_argument, "'value' must be an object of properties such as {\"versioning\":{\"enabled\":true}}");
    return check_members("", wanted, document);
}

Result<void> check_wanted(const std::string& path, const std::string& wanted, const json& document) {
    const json* have = &document;
    for (std::size_t from = 0; from <= path.size();) {
        const std::size_t dot = std::min(path.find('.', from), path.size());
        const json* next = find_member(*have, path.substr(from, dot - from));
        if (next == nullptr) return unknown_property(path, have->is_object() ? *have : document);
        have = next;
        from = dot + 1;
    }
    return check_value(path, wanted, *have);
}

}  // namespace millrace::aistore
