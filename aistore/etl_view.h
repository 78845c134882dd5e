// Transforms as AIStore's clients read them. Pure.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/result.h"
#include "scheduler/transform_standing.h"

namespace millrace::aistore {

// Of the running transform, such as the answer to its start. The same as long as the name is.
std::string etl_job_id(const std::string& name);
// Initializing, Running, Aborted or Unknown, of a state of API.md.
std::string_view etl_stage(std::string_view state);

nlohmann::json etl_row(const std::string& name, const scheduler::Standing& standing);
// The specification as a message that starts a transform, defaults filled in. A filter or a process has no `runtime`.
Result<nlohmann::json> etl_init_message(const std::string& name, const std::string& spec_json);
// One row of `obj_errors`, of a row of a failure ledger or of inline errors (API.md).
nlohmann::json etl_object_error(const nlohmann::json& row);

nlohmann::json etl_logs(const nlohmann::json& rows);  // of scheduler::transform_logs()
nlohmann::json etl_health(const scheduler::Standing& standing);
nlohmann::json etl_metrics(const scheduler::Standing& standing);

}  // namespace millrace::aistore
