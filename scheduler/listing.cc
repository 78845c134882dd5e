#include "scheduler/listing.h"

#include <algorithm>
#include <optional>
#include <nlohmann/json.hpp>

#include "core/json_members.h"
#include "core/run_all.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
namespace {

using nlohmann::json;

ListingEntry entry_of(const json& row, const std::string& target) {
    ListingEntry entry{text_of(row, "name"), count_of(row, "size"), text_of(row, "checksum"), count_of(row, "version"),
                       text_of(row, "written_at"), target, flag_of(row, "folder")};
    if (const json& custom = member(row, "custom"); custom.is_object()) {
        for (const auto& [key, value] : custom.items()) entry.custom.emplace(key, text_of(value));
    }
    return entry;
}

// The catalog has the bucket: a target that does not know it has just come back, and is about to hear of it.
Error not_listed(const Error& error, const std::string& bucket) {
    if (error.code != Code::not_found) return error;
    return fail(Code::unavailable, "a target does not know bucket 'ais://" + bucket + "' yet; try again in a moment");
}

Task<Result<BucketSummary>> summarize_on(const TargetDirectory& directory, std::string target, std::string bucket, std::string prefix) {
    BucketSummary sum;
    std::string after;
    for (bool at_end = false; !at_end;) {
        Query query;
        query.add("bucket", bucket);
        query.add("prefix", prefix);
        query.add("after", after);
        const auto part = co_await ask_target(directory, target, "/v1/worker/summary", query);
        if (!part) co_return not_listed(part.error(), bucket);
        const auto objects = count_of(*part, "objects");
        const auto smallest = count_of(*part, "smallest");
        if (objects > 0) sum.smallest_bytes = sum.objects == 0 ? smallest : std::min(sum.smallest_bytes, smallest);
        sum.largest_bytes = std::max(sum.largest_bytes, count_of(*part, "largest"));
        sum.objects += objects;
        sum.bytes += count_of(*part, "bytes");
        const std::string last = text_of(*part, "last");
        at_end = flag_of(*part, "at_end", true) || last <= after;
        after = last;
    }
    co_return sum;
}

}  // namespace

namespace {

Task<Result<Listing>> list_once(const TargetDirectory& directory, const ListingRequest& request) {
    std::vector<TargetId> targets = directory.ids();
    if (!request.target.empty()) {
        std::erase_if(targets, [&](const TargetId& target) { return target.str() != request.target; });
        if (targets.empty()) co_return fail(Code::not_found, "target " + request.target + " is not a member of the cluster");
    }
    Query query;
    query.add("bucket", request.bucket);
    query.add("prefix", request.prefix);
    query.add("after", request.after);
    query.add("limit", std::to_string(request.entries_max));
    if (request.with_custom) query.add("custom", "true");
    if (request.folded) query.add("folded", "true");
    const auto pages = co_await ask_targets(directory, targets, "/v1/worker/objects", query);
    Listing listing;
    std::optional<std::string> complete_to;  // up to here every target has said what it has
    for (std::size_t i = 0; i < pages.size(); ++i) {
        if (!pages[i]) co_return not_listed(pages[i].error(), request.bucket);
        for (const json& row : items_of(*pages[i], "entries")) listing.entries.push_back(entry_of(row, targets[i].str()));
        if (flag_of(*pages[i], "at_end", true)) continue;
        const std::string last = text_of(*pages[i], "last", listing.entries.empty() ? request.after : listing.entries.back().name);
        if (!complete_to || last < *complete_to) complete_to = last;
    }
    // What is cut off here comes on the next page.
    if (complete_to) std::erase_if(listing.entries, [&](const ListingEntry& entry) { return entry.name > *complete_to; });
    std::ranges::sort(listing.entries, {}, &ListingEntry::name);
    const auto doubled = std::ranges::unique(listing.entries, {}, &ListingEntry::name);  // a folder that several targets have
    listing.entries.erase(doubled.begin(), doubled.end());
    if (listing.entries.size() > request.entries_max) {
        listing.entries.resize(request.entries_max);
        complete_to = listing.entries.back().name;
    }
    listing.next = complete_to.value_or("");
    co_return listing;
}

}  // namespace

Task<Result<Listing>> list_objects(const ClusterState& state, const TargetDirectory& directory, ListingRequest request) {
    if (state.catalog.bucket(request.bucket) == nullptr) co_return unknown_bucket(request.bucket);
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(Listing listing, co_await list_once(directory, request));
        if (!listing.entries.empty() || listing.next.empty()) co_return listing;
        request.after = listing.next;  // much was passed over, and nothing found yet
    }
}

Task<Result<BucketSummary>> summarize_bucket(const ClusterState& state, const TargetDirectory& directory, std::string bucket, std::string prefix) {
    if (state.catalog.bucket(bucket) == nullptr) co_return unknown_bucket(bucket);
    const std::vector<TargetId> targets = directory.ids();
    std::vector<Task<Result<BucketSummary>>> calls;
    for (const TargetId& target : targets) calls.push_back(summarize_on(directory, target.str(), bucket, prefix));
    const auto parts = co_await run_all(std::move(calls));
    BucketSummary sum;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Result<BucketSummary>& part = parts[i];
        if (!part) co_return part.error();
        sum.objects_by_target[targets[i].str()] = part->objects;
        if (part->objects == 0) continue;
        sum.smallest_bytes = sum.objects == 0 ? part->smallest_bytes : std::min(sum.smallest_bytes, part->smallest_bytes);
        sum.largest_bytes = std::max(sum.largest_bytes, part->largest_bytes);
        sum.objects += part->objects;
        sum.bytes += part->bytes;
    }
    co_return sum;
}

}  // namespace millrace::scheduler
