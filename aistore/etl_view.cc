#include "aistore/etl_view.h"

#include "aistore/message.h"
#include "core/base64.h"
#include "core/json_members.h"
#include "core/units.h"
#include "http/message.h"
#include "http/problem.h"
#include "spec/transform_spec.h"

namespace millrace::aistore {

using nlohmann::json;

std::string etl_job_id(const std::string& name) { return "etl-" + name; }

std::string_view etl_stage(std::string_view state) {
    if (state == "running") return "Running";
    if (state == "starting" || state == "initializing") return "Initializing";
    if (state == "stopped" || state == "aborted") return "Aborted";
    return "Unknown";
}

json etl_row(const std::string& name, const scheduler::Standing& standing) {
    std::uint64_t objects = 0;
    for (const json& target : standing.per_target) objects += count_of(target, "runs");
    return {{"id", name}, {"stage", etl_stage(standing.state)}, {"xaction_id", etl_job_id(name)}, {"obj_count", objects}, {"in_bytes", 0},
            {"out_bytes", 0}};
}

Result<json> etl_init_message(const std::string& name, const std::string& spec_json) {
    MILLRACE_TRY_ASSIGN(const spec::ParsedSpec parsed, spec::parse_spec(spec_json, name));
    const spec::TransformSpec spec = spec::without_secrets(parsed.spec);
    json message{{"name", spec.name}, {"communication", spec::communication_name(spec.communication)},
                 {"init_timeout", duration_text(spec.init_timeout_ms)}, {"obj_timeout", duration_text(spec.obj_timeout_ms)},
                 {"support_direct_put", spec.direct_put}};
    if (spec.kind != spec::Kind::oci) return message;
    json environment = json::array();
    for (const auto& [key, value] : spec.env) environment.push_back({{"name", key}, {"value", value}});
    message["runtime"] = {{"image", spec.container.image}, {"command", spec.argv}, {"env", std::move(environment)}};
    return message;
}

json etl_object_error(const json& row) {
    const auto code = http::parse_code(text_of(row, "code"));
    return {{"obj_name", text_of(row, "object")}, {"msg", text_of(row, "message")}, {"ecode", http::status_of(code.value_or(Code::internal))}};
}

json etl_logs(const json& rows) {
    json logs = json::array();
    for (const json& row : rows) logs.push_back({{"target_id", text_of(row, "target")}, {"logs", base64_encode(text_of(row, "log"))}});
    return logs;
}

json etl_health(const scheduler::Standing& standing) {
    json rows = json::array();
    for (const json& target : standing.per_target) {
        rows.push_back({{"target_id", text_of(target, "target")}, {"health_status", etl_stage(text_of(target, "state"))}});
    }
    return rows;
}

json etl_metrics(const scheduler::Standing& standing) {
    json rows = json::array();
    for (const json& target : standing.per_target) {
        rows.push_back({{"target_id", text_of(target, "target")}, {"cpu", number_of(target, "cpu_seconds")},
                        {"mem", count_of(target, "memory_bytes")}});
    }
    return rows;
}

}  // namespace millrace::aistore
