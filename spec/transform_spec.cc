#include "spec/transform_spec.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "core/names.h"
#include "core/units.h"
#include "spec/command_line.h"
#include "spec/spec_reader.h"

namespace millrace::spec {
namespace {

constexpr std::size_t kDocumentBytesMax = 1 << 20;
constexpr std::size_t kDocumentsMax = 256;
constexpr std::size_t kCommandBytesMax = 64 * 1024;
constexpr std::uint64_t kStderrBytesMax = 1 << 20;
constexpr std::uint64_t kConcurrencyMax = 1024;
constexpr std::uint64_t kAnySize = ~0ull;
constexpr std::uint64_t kAnyCount = 1'000'000'000;

Result<std::vector<YAML::Node>> load(const std::string& text, const std::string& origin) {
    if (text.size() > kDocumentBytesMax) {
        return fail(Code::too_large, origin + ": a specification of more than " + size_text(kDocumentBytesMax) + " is not read");
    }
    if (!is_utf8(text)) return fail(Code::invalid_argument, origin + ": is not UTF-8 text");
    try {
        std::vector<YAML::Node> documents = YAML::LoadAll(text);
        std::erase_if(documents, [](const YAML::Node& document) { return !document.IsDefined() || document.IsNull(); });
        if (documents.empty()) return fail(Code::invalid_argument, origin + ": holds no transform; it needs 'name' and 'cmd' or 'command'");
        if (documents.size() > kDocumentsMax) {
            return fail(Code::invalid_argument, origin + ": holds more than " + std::to_string(kDocumentsMax) + " documents");
        }
        return documents;
    } catch (const YAML::DeepRecursion& error) {
        return fail(Code::invalid_argument, origin + " line " + std::to_string(error.mark.line + 1) + ": is nested too deeply");
    } catch (const YAML::Exception& error) {
        const std::string line = error.mark.line >= 0 ? " line " + std::to_string(error.mark.line + 1) : "";
        return fail(Code::invalid_argument, origin + line + ": not valid YAML: " + error.msg);
    } catch (const std::exception& error) {
        return fail(Code::invalid_argument, origin + ": not valid YAML: " + error.what());
    }
}

Result<void> check_argv(const std::vector<std::string>& argv) {
    if (argv.empty() || argv[0].empty()) return fail(Code::invalid_argument, "the command is empty");
    std::size_t bytes = 0;
    for (const std::string& word : argv) {
        if (word.find('\0') != word.npos) return fail(Code::invalid_argument, "the command has a NUL byte");
        bytes += word.size() + 1;
    }
    if (bytes > kCommandBytesMax) return fail(Code::invalid_argument, "the command is longer than " + size_text(kCommandBytesMax));
    return {};
}

// What AIStore runs in a container and a process transform cannot be.
Result<void> refuse_containers(const SpecReader& document) {
    for (const std::string key : {"runtime", "image", "spec", "apiVersion"}) {
        if (document.has(key)) {
            return document.error(key, "a container image or pod needs the oci runtime, which this build does not have; give 'cmd' or 'command'");
        }
    }
    return {};
}

Result<void> read_command(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY(refuse_containers(document));
    const bool is_filter = document.has("cmd");
    const bool is_process = document.has("command");
    if (is_filter && is_process) {
        return document.error("command", "'cmd' (a filter) and 'command' (a server) exclude each other; give one of them");
    }
    document.ignore("cmd");
    document.ignore("command");
    if (!is_filter && !is_process) {
        return document.error("", "neither 'cmd' (a filter, such as \"gzip -9\") nor 'command' (a server) is given");
    }
    const std::string key = is_filter ? "cmd" : "command";
    spec.kind = is_filter ? Kind::filter : Kind::process;
    MILLRACE_TRY_ASSIGN(std::optional<std::vector<std::string>> words, document.list(key));
    if (words) {
        spec.argv = std::move(*words);
    } else {
        std::string text;
        MILLRACE_TRY(document.text(key, text));
        auto split = split_command(text);
        if (!split.has_value()) return document.error(key, split.error().context);
        spec.argv = std::move(*split);
    }
    const auto checked = check_argv(spec.argv);
    if (!checked.has_value()) return document.error(key, checked.error().context);
    return {};
}

Result<void> read_communication(SpecReader& document, TransformSpec& spec) {
    std::string name = "hpush://";
    MILLRACE_TRY(document.text("communication", name));
    if (name != "hpush://") return document.error("communication", quoted_for_message(name) + " is not known; use hpush://");
    std::string listen;
    MILLRACE_TRY(document.text("listen", listen));
    if (!document.has("listen")) return {};
    if (spec.kind == Kind::filter) return document.error("listen", "is for servers ('command'); a filter ('cmd') reads its standard input");
    if (listen != "unix" && listen != "tcp") return document.error("listen", quoted_for_message(listen) + " is neither unix nor tcp");
    spec.listen = listen == "unix" ? Listen::unix_socket : Listen::tcp;
    return {};
}

Result<void> read_concurrency(SpecReader& document, TransformSpec& spec, std::vector<std::string>& warnings) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section("concurrency"));
    if (!section) return {};
    std::uint64_t min = spec.concurrency_min;
    std::uint64_t max = spec.concurrency_max;
    MILLRACE_TRY(section->count("min", kConcurrencyMax, min));
    MILLRACE_TRY(section->count("max", kConcurrencyMax, max));
    if (min == 0) return section->error("min", "must be at least 1");
    if (max != 0 && max < min) return section->error("max", "must not be less than 'min' (0: chosen by the runtime)");
    spec.concurrency_min = static_cast<std::uint32_t>(min);
    spec.concurrency_max = static_cast<std::uint32_t>(max);
    section->warn_unknown(warnings);
    return {};
}

Result<void> read_limits(SpecReader& document, TransformSpec& spec, std::vector<std::string>& warnings) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section("limits"));
    if (!section) return {};
    Limits& limits = spec.limits;
    MILLRACE_TRY(section->size("memory", kAnySize, limits.memory_bytes));
    MILLRACE_TRY(section->size("file_size", kAnySize, limits.file_bytes));
    MILLRACE_TRY(section->count("open_files", kAnyCount, limits.open_files));
    MILLRACE_TRY(section->count("processes", kAnyCount, limits.processes));
    milliseconds cpu_time{0};
    MILLRACE_TRY(section->duration("cpu_time", cpu_time));
    if (cpu_time.count() % 1000 != 0) return section->error("cpu_time", "must be whole seconds");
    if (section->has("cpu_time")) limits.cpu_seconds = static_cast<std::uint64_t>(cpu_time.count() / 1000);
    if (limits.open_files != 0 && limits.open_files < 8) return section->error("open_files", "must be 0 (no limit) or at least 8");
    section->warn_unknown(warnings);
    return {};
}

// Kubernetes' ResourceRequirements.
Result<void> read_resources(SpecReader& document, TransformSpec& spec, std::vector<std::string>& warnings) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> resources, document.section("resources"));
    if (!resources) return {};
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> limits, resources->section("limits"));
    if (resources->has("requests")) {
        warnings.push_back(resources->note("requests", "is ignored: process transforms reserve nothing"));
        resources->ignore("requests");
    }
    resources->warn_unknown(warnings);
    if (!limits) return {};
    std::uint64_t memory = 0;
    MILLRACE_TRY(limits->size("memory", kAnySize, memory));
    if (memory != 0 && spec.limits.memory_bytes != 0 && memory != spec.limits.memory_bytes) {
        return limits->error("memory", "differs from 'limits.memory'; give one of them");
    }
    if (memory != 0) spec.limits.memory_bytes = memory;
    if (limits->has("cpu")) warnings.push_back(limits->note("cpu", "is ignored: process transforms do not limit processors"));
    limits->ignore("cpu");
    limits->warn_unknown(warnings);
    return {};
}

Result<void> read_workdir(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY(document.text("workdir", spec.workdir));
    if (!document.has("workdir")) return {};
    if (!spec.workdir.starts_with('/') || spec.workdir.find('\0') != spec.workdir.npos) {
        return document.error("workdir", quoted_for_message(spec.workdir) + " must be an absolute path");
    }
    return {};
}

Result<ParsedSpec> read_document(const YAML::Node& node, const std::string& origin) {
    ParsedSpec parsed;
    TransformSpec& spec = parsed.spec;
    MILLRACE_TRY_ASSIGN(SpecReader document, SpecReader::open(origin, "", node));
    MILLRACE_TRY(document.text("name", spec.name));
    if (!document.has("name")) return document.error("name", "is missing; a transform needs a name of 6 to 32 of a-z, 0-9 and '-'");
    const auto named = validate_transform_name(spec.name.substr(0, 60));
    if (!named.has_value()) return document.error("name", named.error().context);
    MILLRACE_TRY(read_command(document, spec));
    MILLRACE_TRY(read_communication(document, spec));
    MILLRACE_TRY(document.duration("init_timeout", spec.init_timeout_ms));
    MILLRACE_TRY(document.duration("obj_timeout", spec.obj_timeout_ms));
    MILLRACE_TRY(document.variables("env", spec.env));
    MILLRACE_TRY(read_workdir(document, spec));
    std::uint64_t stderr_bytes = spec.stderr_bytes_max;
    MILLRACE_TRY(document.size("stderr_max", kStderrBytesMax, stderr_bytes));
    spec.stderr_bytes_max = static_cast<std::uint32_t>(stderr_bytes);
    MILLRACE_TRY(read_concurrency(document, spec, parsed.warnings));
    MILLRACE_TRY(read_limits(document, spec, parsed.warnings));
    MILLRACE_TRY(read_resources(document, spec, parsed.warnings));
    bool direct_put = false;
    MILLRACE_TRY(document.boolean("support_direct_put", direct_put));
    if (direct_put) parsed.warnings.push_back(document.note("support_direct_put", "is ignored: results come back in the reply"));
    document.warn_unknown(parsed.warnings);
    return parsed;
}

Result<ParsedSpec> read_document_safely(const YAML::Node& node, const std::string& origin) {
    try {
        return read_document(node, origin);
    } catch (const std::exception& error) {
        return fail(Code::invalid_argument, origin + ": cannot be read: " + error.what());
    }
}

}  // namespace

std::string_view communication_name(Communication) { return "hpush://"; }

Result<ParsedSpec> parse_spec(const std::string& text, const std::string& origin) {
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, load(text, origin));
    if (documents.size() != 1) {
        return fail(Code::invalid_argument, origin + ": holds " + std::to_string(documents.size()) + " documents where one transform is expected");
    }
    return read_document_safely(documents[0], origin);
}

Result<std::vector<ParsedSpec>> parse_specs(const std::string& text, const std::string& origin) {
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, load(text, origin));
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
    MILLRACE_TRY(check_argv(spec.argv));
    return spec;
}

}  // namespace millrace::spec
