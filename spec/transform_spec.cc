#include "spec/transform_spec.h"

#include <algorithm>

#include "core/base64.h"
#include "core/names.h"
#include "core/units.h"
#include "core/yaml_documents.h"
#include "spec/command_line.h"
#include "spec/pod_spec.h"
#include "spec/settings.h"
#include "spec/spec_reader.h"

namespace millrace::spec {
namespace {

Result<void> check_name(const SpecReader& document, const std::string& key, const TransformSpec& spec) {
    if (spec.name.empty()) return document.error(key, "is missing; a transform needs a name of 6 to 32 of a-z, 0-9 and '-'");
    const auto named = validate_transform_name(spec.name.substr(0, 60));
    if (!named.has_value()) return document.error(key, named.error().context + placeholder_hint(spec.name));
    return {};
}

// A filter or a process.
Result<void> read_command(SpecReader& document, TransformSpec& spec) {
    const bool is_filter = document.has("cmd");
    const bool is_process = document.has("command");
    if (is_filter && is_process) {
        return document.error("command", "'cmd' (a filter) and 'command' (a server) exclude each other; give one of them");
    }
    if (document.has("image")) return document.error("image", "belongs below 'runtime': runtime: {image: …}");
    document.ignore("cmd");
    document.ignore("command");
    document.ignore("runtime");
    if (!is_filter && !is_process) {
        return document.error("", "neither 'cmd' (a filter, such as \"gzip -9\") nor 'command' (a server) nor 'runtime' (a container) is given");
    }
    const std::string key = is_filter ? "cmd" : "command";
    spec.kind = is_filter ? Kind::filter : Kind::process;
    MILLRACE_TRY(document.command(key, spec.argv));
    if (spec.argv.empty()) return document.error(key, "the command is empty");
    return {};
}

Result<void> refuse_beside(const SpecReader& document, const std::string& form, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
        if (document.has(key)) return document.error(key, "and '" + form + "' (a container) exclude each other; give one of them");
    }
    return {};
}

// What AIStore calls a runtime specification.
Result<void> read_runtime(SpecReader& document, TransformSpec& spec) {
    spec.kind = Kind::oci;
    MILLRACE_TRY(refuse_beside(document, "runtime", {"cmd", "spec"}));
    if (document.has("command")) return document.error("command", "belongs below 'runtime' where there is a container: runtime: {command: …}");
    if (document.has("image")) return document.error("image", "belongs below 'runtime': runtime: {image: …}");
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> runtime, document.section("runtime"));
    if (!runtime) return document.error("runtime", "has no value; give {image: …}");
    MILLRACE_TRY(read_image(*runtime, spec.container));
    if (!runtime->is("command", "")) MILLRACE_TRY(runtime->command("command", spec.argv));
    runtime->ignore("command");
    MILLRACE_TRY(runtime->variables("env", spec.env));
    runtime->warn_unknown();
    document.ignore("argument");  // obsolete in AIStore, and in all of its samples
    return {};
}

Result<void> read_pod_document(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY(read_pod(document, false, spec));
    return check_name(document, "metadata.name", spec);
}

// The message that AIStore's programs make of a pod: the YAML of the pod in base64, and values that win over those in it.
Result<void> read_pod_message(SpecReader& document, const std::string& origin, std::vector<std::string>& warnings, TransformSpec& spec) {
    MILLRACE_TRY(refuse_beside(document, "spec", {"cmd", "command", "image"}));
    std::string encoded;
    MILLRACE_TRY(document.text("spec", encoded));
    const auto decoded = base64_decode(encoded);
    if (!decoded.has_value()) return document.error("spec", "is not a pod in base64");
    const std::string pod_origin = origin + " (pod in 'spec')";
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> pods, yaml_documents(*decoded, pod_origin));
    if (pods.size() != 1) return document.error("spec", "holds " + std::to_string(pods.size()) + " documents where one pod is expected");
    MILLRACE_TRY_ASSIGN(SpecReader pod, SpecReader::open(pod_origin, "", pods[0], warnings));
    MILLRACE_TRY(read_pod(pod, document.has("communication") && !document.is("communication", ""), spec));
    document.ignore("argument");
    return {};
}

Result<ParsedSpec> read_document(const YAML::Node& node, const std::string& origin) {
    ParsedSpec parsed;
    TransformSpec& spec = parsed.spec;
    MILLRACE_TRY_ASSIGN(SpecReader document, SpecReader::open(origin, "", node, parsed.warnings));
    if (document.has("kind") || document.has("apiVersion") || document.is_mapping("spec")) {
        MILLRACE_TRY(read_pod_document(document, spec));
        return parsed;
    }
    std::string name;
    MILLRACE_TRY(document.text("name", name));
    if (document.has("spec") && !document.has("runtime")) {
        MILLRACE_TRY(read_pod_message(document, origin, parsed.warnings, spec));
    } else if (document.has("runtime")) {
        MILLRACE_TRY(read_runtime(document, spec));
    } else {
        MILLRACE_TRY(read_command(document, spec));
    }
    if (!name.empty()) spec.name = name;
    MILLRACE_TRY(check_name(document, "name", spec));
    MILLRACE_TRY(read_settings(document, spec));
    document.warn_unknown();
    return parsed;
}

Result<ParsedSpec> read_document_safely(const YAML::Node& node, const std::string& origin) {
    try {
        MILLRACE_TRY_ASSIGN(ParsedSpec parsed, read_document(node, origin));
        // As it travels, and is read again: aliases and escapes may have made it longer.
        if (to_json(parsed.spec).size() <= kYamlBytesMax) return parsed;
        return fail(Code::too_large, origin + ": the specification is larger than " + size_text(kYamlBytesMax) + " with all that is filled in");
    } catch (const std::exception& error) {
        return fail(Code::invalid_argument, origin + ": cannot be read: " + error.what());
    }
}

Error nothing_in(const std::string& origin) {
    return fail(Code::invalid_argument, origin + ": holds no transform; it needs 'name' and 'cmd', 'command' or 'runtime'");
}

}  // namespace

Result<ParsedSpec> parse_spec(const std::string& text, const std::string& origin) {
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, yaml_documents(text, origin));
    if (documents.empty()) return nothing_in(origin);
    if (documents.size() != 1) {
        return fail(Code::invalid_argument, origin + ": holds " + std::to_string(documents.size()) + " documents where one transform is expected");
    }
    return read_document_safely(documents[0], origin);
}

Result<std::vector<ParsedSpec>> parse_specs(const std::string& text, const std::string& origin) {
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, yaml_documents(text, origin));
    if (documents.empty()) return nothing_in(origin);
    std::vector<ParsedSpec> specs;
    for (const YAML::Node& document : documents) {
        MILLRACE_TRY_ASSIGN(ParsedSpec spec, read_document_safely(document, origin));
        specs.push_back(std::move(spec));
    }
    return specs;
}

Result<TransformSpec> filter_spec(const std::string& name, const std::string& cmd) {
    TransformSpec spec;
    spec.name = name;
    MILLRACE_TRY(validate_transform_name(name));
    if (!is_utf8(cmd)) return fail(Code::invalid_argument, "the command is not UTF-8 text");
    MILLRACE_TRY_ASSIGN(spec.argv, split_command(cmd));
    MILLRACE_TRY(check_command(spec.argv));
    return spec;
}

}  // namespace millrace::spec
