// What a proxy asks of targets over HTTP. Control loop only.
#pragma once
#include <nlohmann/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/uri.h"
#include "scheduler/target_directory.h"

namespace millrace::scheduler {

// GET path?query of one target. Code::unavailable when it is offline or does not answer in time.
Task<Result<std::string>> read_from_target(const TargetDirectory& directory, std::string target, std::string path, Query query,
                                           Duration patience = std::chrono::seconds(10));
// The same, where the answer is JSON.
Task<Result<nlohmann::json>> ask_target(const TargetDirectory& directory, std::string target, std::string path, Query query,
                                        Duration patience = std::chrono::seconds(10));

// The same of several targets at once; the answers in the order of the targets.
Task<std::vector<Result<nlohmann::json>>> ask_targets(const TargetDirectory& directory, std::vector<TargetId> targets, std::string path, Query query);

// A page of the failure ledgers of a job's slices, in order of target and name.
struct ErrorPage {
    std::vector<nlohmann::json> rows;
    std::string cursor;                    // where the next page begins; empty at the end
    std::vector<std::string> unreachable;  // targets whose rows are missing
    std::map<std::string, std::string> problems;  // the same of targets that answered, and why they could not say
};
// Ends early where rows are long: as long as there is a cursor there may be more, however few came.
Task<Result<ErrorPage>> error_page(const ClusterState& state, const TargetDirectory& directory, std::string job, std::string cursor, std::size_t rows_max);

}  // namespace millrace::scheduler
