#include "aistore/bucket_view.h"

#include <algorithm>

#include "aistore/bucket_identity.h"
#include "aistore/message.h"
#include "core/base64.h"
#include "core/clock.h"
#include "core/ids.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {
constexpr std::string_view kSummary = "summary-";
}  // namespace

std::string bucket_properties(const wire::BucketEntry& bucket) {
    return json_text({{"provider", "ais"}, {"small_object_max", bucket.small_object_bytes_max}, {"created_at", rfc3339(bucket.created_unix_ns)},
                    {"created", std::to_string(bucket.created_unix_ns)}, {"checksum", {{"type", "xxhash2"}}}, {"versioning", {{"enabled", true}}},
                    {"mirror", {{"enabled", false}, {"copies", 1}}}, {"ec", {{"enabled", false}}}});
}

std::string bucket_list(const wire::Catalog& catalog, const std::string& name) {
    std::vector<std::string> names;
    for (const wire::BucketEntry& bucket : catalog.buckets) {
        if (name.empty() || bucket.name == name) names.push_back(bucket.name);
    }
    std::ranges::sort(names);
    json models = json::array();
    for (const std::string& found : names) models.push_back(bucket_model(found));
    return json_text(models);
}

std::string bucket_summary(const std::string& bucket, const scheduler::BucketSummary& sum) {
    json document = bucket_model(bucket);
    document["ObjCount"] = {{"obj_count_present", std::to_string(sum.objects)}, {"obj_count_remote", "0"}};
    document["ObjSize"] = {{"obj_min_size", sum.smallest_bytes},
                           {"obj_avg_size", sum.objects == 0 ? 0 : sum.bytes / sum.objects},
                           {"obj_max_size", sum.largest_bytes}};
    document["TotalSize"] = {{"size_on_disk", std::to_string(sum.bytes)}, {"size_all_present_objs", std::to_string(sum.bytes)},
                             {"size_all_remote_objs", "0"}, {"total_disks_size", "0"}};
    document["used_pct"] = 0;
    document["is_present"] = true;
    return json_text(document);
}

std::string summary_id(const std::string& prefix) { return random_id(kSummary) + "." + base64_encode(prefix); }

Result<std::string> summary_prefix(const std::string& id) {
    const std::size_t dot = id.find('.');
    const auto prefix = dot == std::string::npos ? Result<std::string>(Code::invalid_argument, "") : base64_decode(id.substr(dot + 1));
    if (!id.starts_with(kSummary) || !prefix) return fail(Code::not_found, "there is no summary " + id);
    return *prefix;
}

}  // namespace millrace::aistore
