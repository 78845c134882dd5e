#include <charconv>
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

// What differs from the default; null: nothing does.
Json sandbox_json(const SandboxSpec& sandbox) {
    if (sandbox.off) return "off";
    Json json;
    if (!sandbox.read.empty()) json["read"] = sandbox.read;
    if (!sandbox.write.empty()) json["write"] = sandbox.write;
    if (sandbox.network) json["network"] = true;
    if (sandbox.disk_bytes != SandboxSpec().disk_bytes) json["disk"] = sandbox.disk_bytes;
    return json;
}

std::string_view pull_name(PullPolicy pull) {
    switch (pull) {
        case PullPolicy::never: return "never";
        case PullPolicy::missing: return "missing";
        case PullPolicy::always: return "always";
    }
    return "";
}

std::string_view network_name(Network network) {
    switch (network) {
        case Network::target: return "target";
        case Network::bridge: return "bridge";
        case Network::host: return "host";
    }
    return "";
}

void add_container(Json& json, const TransformSpec& spec) {
    const Container& container = spec.container;
    json["runtime"] = Json{{"image", container.image}};
    if (!spec.argv.empty()) json["runtime"]["command"] = spec.argv;
    json["pull"] = pull_name(container.pull);
    json["network"] = network_name(container.network);
    json["tmpfs"] = container.tmpfs_bytes;
    if (!container.user.empty()) json["user"] = container.user;
    json["port"] = container.port;
    if (container.cpu_millis != 0) json["resources"] = Json{{"limits", {{"cpu", std::to_string(container.cpu_millis) + "m"}}}};
}

// Texts are UTF-8 by construction; a spec that somebody filled by hand must not throw.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::filter: return "filter";
        case Kind::process: return "process";
        case Kind::oci: return "oci";
    }
    return "";
}

std::string_view communication_name(Communication communication) {
    switch (communication) {
        case Communication::hpush: return "hpush://";
        case Communication::hpull: return "hpull://";
        case Communication::ws: return "ws://";
        case Communication::stream: return "stream://";
    }
    return "";
}

std::string to_json(const TransformSpec& spec) {
    Json json{{"name", spec.name}};
    if (!spec.version.empty()) json["version"] = spec.version;
    if (spec.kind == Kind::filter) {
        json["cmd"] = command_text(spec.argv);
    } else if (spec.kind == Kind::process) {
        json["command"] = spec.argv;
        json["listen"] = spec.listen == Listen::unix_socket ? "unix" : "tcp";
    } else {
        add_container(json, spec);
    }
    json["communication"] = communication_name(spec.communication);
    if (spec.kind == Kind::filter) {
        json["retry_statuses"] = spec.retry_statuses;
    } else {
        json["support_direct_put"] = spec.direct_put;
        json["file_paths"] = spec.file_paths;
        json["health"] = spec.health_path;
        json["retry"] = Json{{"restarts", spec.restarts_max}};
        if (spec.batch_objects_max != 0) json["batch"] = spec.batch_objects_max;
    }
    json["init_timeout"] = duration_text(spec.init_timeout_ms);
    json["obj_timeout"] = duration_text(spec.obj_timeout_ms);
    json["env"] = spec.env;
    if (!spec.workdir.empty()) json["workdir"] = spec.workdir;
    json["stderr_max"] = spec.stderr_bytes_max;
    json["concurrency"] = Json{{"min", spec.concurrency_min}, {"max", spec.concurrency_max}};
    json["limits"] = limits_json(spec.limits);
    if (const Json sandbox = sandbox_json(spec.sandbox); !sandbox.is_null()) json["sandbox"] = sandbox;
    return dump(json);
}

bool wants_no_sandbox(const TransformSpec& spec) { return spec.kind != Kind::oci && spec.sandbox.off; }

TransformSpec without_secrets(TransformSpec spec) {
    for (auto& [name, value] : spec.env) value = kHiddenValue;
    return spec;
}

Result<std::string> with_version(const std::string& spec_json, const std::string& version) {
    MILLRACE_TRY_ASSIGN(ParsedSpec parsed, parse_spec(spec_json, "specification"));
    std::string& now = parsed.spec.version;
    // Of "2026-11 beta" the number is what it begins with.
    std::uint64_t number = 1;
    (void)std::from_chars(now.data(), now.data() + now.size(), number);
    now = version.empty() ? std::to_string(number + 1) : version;
    MILLRACE_TRY_ASSIGN(parsed, parse_spec(to_json(parsed.spec), "specification"));
    return to_json(parsed.spec);
}

std::uint64_t digest(const TransformSpec& spec, const std::string& image_id) {
    Json canonical = Json::array({spec.name, kind_name(spec.kind), spec.argv, spec.env, spec.workdir, spec.limits.memory_bytes,
                                  spec.limits.cpu_seconds, spec.limits.open_files, spec.limits.file_bytes, spec.limits.processes});
    // Added for containers only: the other kinds must keep the digests that are in the records of their results.
    if (spec.kind == Kind::oci) {
        for (const std::string& text : {spec.container.image, spec.container.user}) canonical.push_back(text);
        canonical.push_back(spec.container.tmpfs_bytes);
    }
    // Only where they are: transforms without them must keep their digests, too.
    if (!spec.version.empty()) canonical.push_back({"version", spec.version});
    if (const Json sandbox = sandbox_json(spec.sandbox); !sandbox.is_null()) canonical.push_back({"sandbox", sandbox});
    if (!image_id.empty()) canonical.push_back({"image", image_id});
    return xxh64(dump(canonical));
}

}  // namespace millrace::spec
