#include "runtime/engine_json.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/json.h"
#include "core/json_members.h"
#include "runtime/tail.h"

namespace millrace::runtime::engine_json {
namespace {

using nlohmann::json;

constexpr std::uint64_t kProcessesMax = 4096;

// The member at the end of the path; null where there is none.
json member(const json& document, std::initializer_list<const char*> path) {
    const json* at = &document;
    for (const char* key : path) {
        if (!at->is_object()) return nullptr;
        const auto found = at->find(key);
        if (found == at->end()) return nullptr;
        at = &*found;
    }
    return *at;
}

int number_of(const json& value) { return value.is_number_integer() ? value.get<int>() : 0; }
bool truth_of(const json& value) { return value.is_boolean() && value.get<bool>(); }

void append_words(const json& list, std::vector<std::string>& words) {
    if (!list.is_array()) return;
    for (const json& word : list) words.push_back(text_of(word));
}

Error strange(std::string_view what, std::string_view body) {
    return fail(Code::corrupt, "the container engine sent no " + std::string(what) + " but: " + one_line(body));
}

// An engine without CAP_SYS_RESOURCE cannot raise limits, and its own defaults are above ours.
json limit(const char* name, int resource, std::uint64_t wanted) {
    rlimit own{};
    if (::getrlimit(resource, &own) == 0 && own.rlim_max != RLIM_INFINITY) wanted = std::min<std::uint64_t>(wanted, own.rlim_max);
    return {{"Name", name}, {"Soft", wanted}, {"Hard", wanted}};
}

json mounts(const ContainerRequest& request) {
    json list = json::array();
    for (const Bind& bind : request.binds) {
        list.push_back({{"Type", "bind"}, {"Source", bind.host_path}, {"Target", bind.container_path}, {"ReadOnly", bind.read_only}});
    }
    list.push_back({{"Type", "tmpfs"}, {"Target", "/tmp"}, {"TmpfsOptions", {{"SizeBytes", request.tmpfs_bytes}, {"Mode", 01777}}}});
    return list;
}

json host_config(const ContainerRequest& request) {
    json host = {
        {"NetworkMode", request.network},
        {"Mounts", mounts(request)},
        {"ReadonlyRootfs", true},
        {"CapDrop", {"ALL"}},
        {"SecurityOpt", {"no-new-privileges"}},
        {"Init", false},
        {"LogConfig", {{"Type", "none"}, {"Config", json::object()}}},
        {"Ulimits", {limit("nofile", RLIMIT_NOFILE, request.open_files), limit("nproc", RLIMIT_NPROC, kProcessesMax)}},
    };
    if (request.memory_bytes > 0) host["Memory"] = host["MemorySwap"] = request.memory_bytes;
    if (request.cpu_millis > 0) host["NanoCpus"] = std::uint64_t{request.cpu_millis} * 1'000'000;
    if (request.pids_max > 0) host["PidsLimit"] = request.pids_max;
    return host;
}

// The newer place first: one entry per network.
std::string address_of(const json& document) {
    const json networks = member(document, {"NetworkSettings", "Networks"});
    if (networks.is_object()) {
        for (const json& network : networks) {
            for (const char* key : {"IPAddress", "GlobalIPv6Address"}) {
                std::string address = text_of(member(network, {key}));
                if (!address.empty()) return address;
            }
        }
    }
    return text_of(member(document, {"NetworkSettings", "IPAddress"}));
}

}  // namespace

Result<std::string> create_request(const ContainerRequest& request) {
    json document = {{"Image", request.image}, {"Tty", false}, {"OpenStdin", false}, {"HostConfig", host_config(request)}};
    if (!request.argv.empty()) document["Entrypoint"] = request.argv;
    if (!request.workdir.empty()) document["WorkingDir"] = request.workdir;
    if (!request.user.empty()) document["User"] = request.user;
    document["Env"] = json::array();
    for (const auto& [key, value] : request.env) document["Env"].push_back(key + '=' + value);
    document["Labels"] = json::object();
    for (const auto& [key, value] : request.labels) document["Labels"][key] = value;
    try {
        return document.dump();
    } catch (const json::exception&) {
        return fail(Code::invalid_argument, "a container engine takes UTF-8 only; an argument, label or variable of the environment is not");
    }
}

std::string label_filter(const std::string& label) {
    return json{{"label", {label}}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::string> version(std::string_view body) {
    const json document = json_or_null(body);
    std::string number = text_of(member(document, {"Version"}));
    if (number.empty()) return strange("version", body);
    const json components = member(document, {"Components"});
    std::string name = components.is_array() && !components.empty() ? text_of(member(components.front(), {"Name"})) : "";
    if (name.empty() || name == "Engine") name = "Docker Engine";
    return one_line(name + ' ' + number);
}

Result<ImageInfo> image(std::string_view body) {
    const json document = json_or_null(body);
    ImageInfo info{.id = text_of(member(document, {"Id"})), .user = text_of(member(document, {"Config", "User"})), .argv = {}};
    if (info.id.empty()) return strange("image", body);
    if (info.id.find(':') == std::string::npos) info.id = "sha256:" + info.id;  // Podman's own form of what Docker writes in full
    append_words(member(document, {"Config", "Entrypoint"}), info.argv);
    append_words(member(document, {"Config", "Cmd"}), info.argv);
    return info;
}

Result<std::string> created_id(std::string_view body) {
    std::string id = text_of(member(json_or_null(body), {"Id"}));
    if (id.empty()) return strange("id of a container", body);
    return id;
}

Result<ContainerState> state(std::string_view body) {
    const json document = json_or_null(body);
    ContainerState state;
    state.id = text_of(member(document, {"Id"}));
    if (state.id.empty() || !member(document, {"State"}).is_object()) return strange("state of a container", body);
    state.running = truth_of(member(document, {"State", "Running"}));
    state.pid = state.running ? number_of(member(document, {"State", "Pid"})) : 0;
    state.exit_code = number_of(member(document, {"State", "ExitCode"}));
    state.out_of_memory = truth_of(member(document, {"State", "OOMKilled"}));
    state.error = one_line(text_of(member(document, {"State", "Error"})));
    state.address = address_of(document);
    return state;
}

Result<std::vector<std::string>> ids(std::string_view body) {
    const json document = json_or_null(body);
    if (!document.is_array()) return strange("list of containers", body);
    std::vector<std::string> found;
    for (const json& container : document) {
        std::string id = text_of(member(container, {"Id"}));
        if (id.empty()) return strange("list of containers", body);
        found.push_back(std::move(id));
    }
    return found;
}

std::optional<std::string> pull_failure(std::string_view line) {
    std::string failure = text_of(member(json_or_null(line), {"error"}));
    if (failure.empty()) return std::nullopt;
    return one_line(failure);
}

Error error(int status, std::string_view body) {
    const json document = json_or_null(body);
    std::string text = one_line(text_of(member(document, {"message"})));
    if (text.empty()) text = one_line(body);
    if (text.empty()) text = "status " + std::to_string(status);
    // Podman answers 500 to both, and tells them apart by their cause.
    const std::string cause = text_of(member(document, {"cause"}));
    Code code = http::code_of_status(status);
    if (status == 400) code = Code::invalid_argument;
    if (status == 409 || cause == "container state improper") code = Code::conflict;
    if (text.contains("already in use") || cause.contains("already in use")) code = Code::already_exists;
    return {code, std::move(text)};
}

}  // namespace millrace::runtime::engine_json
