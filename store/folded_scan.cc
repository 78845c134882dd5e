#include "store/folded_scan.h"

#include <algorithm>

namespace millrace::store {
namespace {

constexpr std::size_t kStep = 1000;

// Behind every name in the folder and before every other one: no name has this byte, since names are UTF-8.
std::string behind_folder(const std::string& folder) { return folder + '\xff'; }

// From where on a slash of the name ends a folder's entry. Requires that the name starts with the prefix.
std::size_t folding_start(const std::string& name, const std::string& prefix) {
    const bool in_folder = !prefix.empty() && !prefix.ends_with('/') && name.size() > prefix.size() && name[prefix.size()] == '/';
    return prefix.size() + (in_folder ? 1 : 0);
}

bool is_folder_entry(const std::string& name, const std::string& prefix) {
    return name.starts_with(prefix) && name.ends_with('/') && name.size() > folding_start(name, prefix);
}

}  // namespace

Result<FoldedPage> scan_folded(ObjectStore& store, const std::string& bucket, const std::string& prefix, const std::string& after,
                               std::size_t entries_max, std::size_t looked_at_max) {
    FoldedPage page{.entries = {}, .last = after};
    std::string last = is_folder_entry(after, prefix) ? behind_folder(after) : after;
    std::size_t looked_at = 0;
    while (page.entries.size() < entries_max && looked_at < looked_at_max) {
        MILLRACE_TRY_ASSIGN(ScanPage step, store.scan(bucket, prefix, last, std::min(kStep, entries_max - page.entries.size())));
        std::string inside;  // the folder whose entry was the last
        looked_at += step.objects.size();
        for (ListedObject& object : step.objects) {
            if (!inside.empty() && object.name.starts_with(inside)) continue;
            const std::size_t slash = object.name.find('/', folding_start(object.name, prefix));
            inside = slash == std::string::npos ? "" : object.name.substr(0, slash + 1);
            last = inside.empty() ? object.name : behind_folder(inside);
            page.last = inside.empty() ? object.name : inside;
            if (inside.empty()) {
                page.entries.push_back({std::move(object), false});
            } else if (inside > after) {
                page.entries.push_back({{inside, {}}, true});
            }
        }
        page.at_end = step.at_end;
        if (page.at_end) break;
    }
    return page;
}

Result<SummaryPart> summarize(ObjectStore& store, const std::string& bucket, const std::string& prefix, const std::string& after,
                              std::size_t objects_max) {
    SummaryPart sum;
    sum.last = after;
    while (!sum.at_end && sum.objects < objects_max) {
        MILLRACE_TRY_ASSIGN(const ScanPage step, store.scan(bucket, prefix, sum.last, kStep));
        for (const ListedObject& object : step.objects) {
            const std::uint64_t size = object.info.size;
            sum.smallest_bytes = sum.objects == 0 ? size : std::min(sum.smallest_bytes, size);
            sum.largest_bytes = std::max(sum.largest_bytes, size);
            sum.bytes += size;
            ++sum.objects;
        }
        if (!step.objects.empty()) sum.last = step.objects.back().name;
        sum.at_end = step.at_end;
    }
    return sum;
}

}  // namespace millrace::store
