#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "core/units.h"
#include "spec/command_line.h"
#include "spec/transform_spec.h"

namespace millrace::spec {
namespace {

using Json = nlohmann::ordered_json;

Json limits_json(const Limits& limits) {
    Json json{{"memory", limits.memory_bytes},
              {"open_files", limits.open_files},
              {"file_size", limits.file_bytes},
              {"processes", limits.processes}};
    if (limits.cpu_seconds != 0) json["cpu_time"] = std::to_string(limits.cpu_seconds) + "s";
    return json;
}

// Texts are UTF-8 by construction; a spec that somebody filled by hand must not throw.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string to_json(const TransformSpec& spec) {
    Json json{{"name", spec.name}};
    if (spec.kind == Kind::filter) {
        json["cmd"] = command_text(spec.argv);
    } else {
        json["command"] = spec.argv;
        json["listen"] = spec.listen == Listen::unix_socket ? "unix" : "tcp";
    }
    json["communication"] = communication_name(spec.communication);
    json["init_timeout"] = duration_text(spec.init_timeout_ms);
    json["obj_timeout"] = duration_text(spec.obj_timeout_ms);
    json["env"] = spec.env;
    if (!spec.workdir.empty()) json["workdir"] = spec.workdir;
    json["stderr_max"] = spec.stderr_bytes_max;
    json["concurrency"] = Json{{"min", spec.concurrency_min}, {"max", spec.concurrency_max}};
    json["limits"] = limits_json(spec.limits);
    return dump(json);
}

std::uint64_t digest(const TransformSpec& spec) {
    const Json canonical = Json::array({spec.name, spec.kind == Kind::filter ? "filter" : "process", spec.argv, spec.env, spec.workdir,
                                        spec.limits.memory_bytes, spec.limits.cpu_seconds, spec.limits.open_files,
                                        spec.limits.file_bytes, spec.limits.processes});
    return xxh64(dump(canonical));
}

}  // namespace millrace::spec
