#include "cli/spec_edit.h"

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/yaml_documents.h"

namespace millrace::cli {
namespace {

Result<YAML::Node> load(const std::string& document) {
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, yaml_documents(document, "the specification"));
    if (documents.empty() || !documents[0].IsMap()) return fail(Code::invalid_argument, "a specification is a mapping such as 'name: to-wav'");
    return documents[0];
}

bool is_pod(const YAML::Node& node) {
    const YAML::Node spec = node["spec"];
    return node["kind"].IsDefined() || node["apiVersion"].IsDefined() || (spec.IsDefined() && spec.IsMap());
}

std::vector<std::pair<std::string, std::string>> keys_of(const SpecValues& values) {
    std::vector<std::pair<std::string, std::string>> keys{{"name", values.name},
                                                          {"communication", values.communication},
                                                          {"init_timeout", values.init_timeout},
                                                          {"obj_timeout", values.object_timeout}};
    std::erase_if(keys, [](const auto& key) { return key.second.empty(); });
    return keys;
}

}  // namespace

Result<std::string> spec_name(const std::string& document) {
    MILLRACE_TRY_ASSIGN(const YAML::Node node, load(document));
    const YAML::Node holder = is_pod(node) ? node["metadata"] : node;
    if (!holder.IsDefined() || !holder.IsMap()) return fail(Code::invalid_argument, "the pod has no metadata.name");
    const YAML::Node name = holder["name"];
    if (!name.IsDefined() || !name.IsScalar() || name.Scalar().empty()) return fail(Code::invalid_argument, "it has no name");
    return name.Scalar();
}

Result<std::string> with_values(const std::string& document, const SpecValues& values) {
    MILLRACE_TRY_ASSIGN(YAML::Node node, load(document));
    if (is_pod(node)) {
        nlohmann::json message{{"spec", base64_encode(document)}};
        for (const auto& [key, value] : keys_of(values)) message[key] = value;
        return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    for (const auto& [key, value] : keys_of(values)) node[key] = value;
    YAML::Emitter emitter;
    emitter << node;
    if (!emitter.good()) return fail(Code::invalid_argument, "cannot be written again with other values: " + emitter.GetLastError());
    return std::string(emitter.c_str(), emitter.size());
}

}  // namespace millrace::cli
