// How a transform stands across the cluster, from what targets have reported, and what targets tell about it when asked.
// Control loop only.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "scheduler/target_directory.h"

namespace millrace::scheduler {

struct Standing {
    std::string state;  // as in API.md: running, starting, degraded, aborted, stopped
    std::size_t running = 0;
    std::size_t targets = 0;
    nlohmann::json per_target = nlohmann::json::array();  // as in API.md
};
Standing standing(const ClusterState& state, const wire::TransformEntry& entry);

// Logs (with `after`, what was written since), or the last inline errors, of every target or of `only`. Targets that do not
// answer are left out, unless it is the only one. Code::not_found for an unknown transform.
Task<Result<nlohmann::json>> transform_logs(const ClusterState& state, const TargetDirectory& directory, std::string name, std::string only, std::string after);
Task<Result<nlohmann::json>> transform_errors(const ClusterState& state, const TargetDirectory& directory, std::string name, std::string only);

}  // namespace millrace::scheduler
