// What is in a bucket, gathered from every target at once. Control loop only.
//
// A listing without one target's objects would be a lie: when a target does not answer, its error is the answer.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scheduler/page_merge.h"
#include "scheduler/target_directory.h"

namespace millrace::scheduler {

struct ListingRequest {
    std::string bucket;
    std::string prefix;
    std::string after;             // exclusive
    std::size_t entries_max = 1;
    bool folded = false;           // names with a slash behind the prefix become one entry per folder, "prefix/folder/"
    std::string target;            // of this target only; empty: of all
    bool with_custom = false;      // whether entries have their custom metadata
};

// Code::not_found for an unknown bucket or target. A page that has a next one is not empty.
Task<Result<Listing>> list_objects(const ClusterState& state, const TargetDirectory& directory, ListingRequest request);

struct BucketSummary {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t smallest_bytes = 0;
    std::uint64_t largest_bytes = 0;
    std::map<std::string, std::uint64_t> objects_by_target;
};
// Reads the record of every object under the prefix.
Task<Result<BucketSummary>> summarize_bucket(const ClusterState& state, const TargetDirectory& directory, std::string bucket, std::string prefix);

}  // namespace millrace::scheduler
