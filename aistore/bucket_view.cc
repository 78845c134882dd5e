#include "aistore/bucket_view.h"

#include <algorithm>

#include "aistore/bucket_identity.h"
#include "aistore/message.h"
#include "core/ids.h"
#include "core/whole_number.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {
constexpr std::string_view kSummary = "summary-";
}  // namespace

std::vector<std::string> bucket_names(const wire::Catalog& catalog, const std::string& name) {
    std::vector<std::string> names;
    for (const wire::BucketEntry& bucket : catalog.buckets) {
        if (name.empty() || name == bucket.name) names.push_back(bucket.name);
    }
    std::ranges::sort(names);
    return names;
}

std::string bucket_list(const std::vector<std::string>& names) {
    json models = json::array();
    for (const std::string& name : names) models.push_back(bucket_model(name));
    return json_text(models);
}

std::string bucket_summary(const std::string& bucket, const scheduler::BucketSummary& sum, std::uint64_t disk_bytes) {
    json document = bucket_model(bucket);
    document["ObjCount"] = {{"obj_count_present", std::to_string(sum.objects)}, {"obj_count_remote", "0"}};
    document["ObjSize"] = {{"obj_min_size", sum.smallest_bytes},
                           {"obj_avg_size", sum.objects == 0 ? 0 : sum.bytes / sum.objects},
                           {"obj_max_size", sum.largest_bytes}};
    document["TotalSize"] = {{"size_on_disk", std::to_string(sum.bytes)}, {"size_all_present_objs", std::to_string(sum.bytes)},
                             {"size_all_remote_objs", "0"}, {"total_disks_size", std::to_string(disk_bytes)}};
    document["used_pct"] = disk_bytes == 0 ? 0 : sum.bytes * 100 / disk_bytes;
    document["is_present"] = true;
    return json_text(document);
}

std::string summary_id(const std::string& prefix) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string id = random_id(kSummary);
    if (!prefix.empty()) id += '-';
    for (const char c : prefix) {
        const auto byte = static_cast<unsigned char>(c);
        id += kHex[byte >> 4];
        id += kHex[byte & 15];
    }
    return id;
}

Result<std::string> summary_prefix(const std::string& id) {
    const Error unknown = fail(Code::not_found, "there is no summary " + id.substr(0, 100));
    if (!id.starts_with(kSummary)) return unknown;
    const std::size_t dash = id.find('-', kSummary.size());
    std::string prefix;
    if (dash == id.npos) return prefix;
    const std::string_view digits = std::string_view(id).substr(dash + 1);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto byte = parse_whole<unsigned>(digits.substr(i, 2), 16);
        if (digits.size() % 2 != 0 || !byte) return unknown;
        prefix += static_cast<char>(*byte);
    }
    return prefix;
}

}  // namespace millrace::aistore
