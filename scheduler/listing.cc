#include "scheduler/listing.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_members.h"
#include "core/run_all.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
namespace {

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

Task<Result<Listing>> list_objects(const ClusterState& state, const TargetDirectory& directory, ListingRequest request) {
    if (state.catalog.bucket(request.bucket) == nullptr) co_return unknown_bucket(request.bucket);
    std::vector<std::string> targets;
    for (const TargetId& target : directory.ids()) {
        if (request.target.empty() || target.str() == request.target) targets.push_back(target.str());
    }
    if (targets.empty() && !request.target.empty()) co_return fail(Code::not_found, "target " + request.target + " is not a member of the cluster");
    PageMerge merge(targets, request.after, request.entries_max, request.folded);
    for (auto asks = merge.asks(); !asks.empty(); asks = merge.asks()) {
        std::vector<Task<Result<std::string>>> calls;
        for (const PageMerge::Ask& ask : asks) {
            Query query;
            query.add("bucket", request.bucket);
            query.add("prefix", request.prefix);
            query.add("after", ask.after);
            query.add("limit", std::to_string(ask.rows_max));
            if (request.with_custom) query.add("custom", "true");
            if (request.folded) query.add("folded", "true");
            calls.push_back(read_from_target(directory, targets[ask.target], "/v1/worker/objects", query));
        }
        auto pages = co_await run_all(std::move(calls));
        for (std::size_t i = 0; i < pages.size(); ++i) {
            if (!pages[i]) co_return not_listed(pages[i].error(), request.bucket);
            MILLRACE_CO_TRY(merge.add(asks[i], std::move(*pages[i])));
        }
        merge.merge();
    }
    co_return std::move(merge).take();
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
