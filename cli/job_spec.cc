#include "cli/job_spec.h"

#include <cerrno>
#include <fstream>
#include <istream>
#include <nlohmann/json.hpp>

#include "cli/chain.h"
#include "cli/uris.h"
#include "core/units.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

Error bad(std::string why) { return fail(Code::invalid_argument, std::move(why)); }

Result<void> add_name(json& objects, const std::string& name, const std::string& origin) {
    if (const auto valid = validate_object_name(name); !valid) return valid.error().during(origin);
    objects.push_back(name);
    return {};
}

Result<void> add_names_of_line_list(json& objects, const std::string& file, std::istream& standard_input) {
    std::ifstream opened;
    if (file != "-") {
        opened.open(file);
        if (!opened) return bad("--list-file: " + errno_error("cannot open " + file, errno).context);
    }
    std::istream& in = file == "-" ? standard_input : opened;
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty()) continue;
        MILLRACE_TRY(add_name(objects, line, "--list-file " + file + " line " + std::to_string(number)));
    }
    if (in.bad()) return fail(Code::io, "--list-file: cannot read " + file);
    return {};
}

Result<void> add_names_of_list(json& objects, std::string_view list) {
    for (std::size_t start = 0; start <= list.size();) {
        const std::size_t end = std::min(list.find(',', start), list.size());
        if (end > start) {
            MILLRACE_TRY(add_name(objects, std::string(list.substr(start, end - start)), "--list"));
        }
        start = end + 1;
    }
    return {};
}

void add_work(json& spec, const JobSubmit& verb) {
    if (!verb.operation.empty()) {
        spec["operation"] = verb.operation;
        return;
    }
    std::vector<std::string> chain = chain_of(verb.transform);
    spec["transform"] = chain.front();
    chain.erase(chain.begin());
    if (!chain.empty()) spec["pipeline"] = std::move(chain);
}

// At most one of prefix, names and template.
Result<void> add_selection(json& spec, const JobSubmit& verb, const std::string& source_prefix, std::istream& in) {
    if (!source_prefix.empty() && !verb.prefix.empty()) {
        return bad("the prefix is given twice: behind the bucket in '" + verb.source + "' and with --prefix");
    }
    const std::string prefix = source_prefix.empty() ? verb.prefix : source_prefix;
    const bool names = !verb.lists.empty() || !verb.list_file.empty();
    if (int(!prefix.empty()) + int(names) + int(!verb.name_template.empty()) > 1) {
        return bad("a prefix, a list of names and a template exclude each other; give one of them");
    }
    if (!prefix.empty()) spec["prefix"] = prefix;
    if (!verb.name_template.empty()) spec["template"] = verb.name_template;
    if (names) {
        json objects = json::array();
        for (const std::string& list : verb.lists) {
            MILLRACE_TRY(add_names_of_list(objects, list));
        }
        if (!verb.list_file.empty()) {
            MILLRACE_TRY(add_names_of_line_list(objects, verb.list_file, in));
        }
        if (objects.empty()) return bad("the list names no object");
        spec["objects"] = std::move(objects);
    }
    return {};
}

Result<void> add_rename(json& spec, const JobSubmit& verb) {
    for (const std::string& rule : verb.extensions) {
        const std::size_t colon = rule.find(':');
        if (colon == rule.npos) {
            return bad("--ext '" + rule + "' is not of the form old:new, such as flac:wav, gz: to take one off or :gz to put one on");
        }
        const auto dotless = [](std::string text) { return text.starts_with('.') ? text.substr(1) : text; };
        const std::string from = dotless(rule.substr(0, colon));
        if (spec["ext"].contains(from)) return bad("--ext maps '" + from + "' twice");
        spec["ext"][from] = dotless(rule.substr(colon + 1));
    }
    if (verb.ext_any_case) spec["ext_any_case"] = true;
    if (!verb.prepend.empty()) spec["prepend"] = verb.prepend;
    return {};
}

Result<void> add_policies(json& spec, const JobSubmit& verb) {
    if (!verb.arguments.empty()) spec["args"] = verb.arguments;
    if (!verb.overwrite.empty()) spec["overwrite"] = verb.overwrite;
    if (!verb.empty_output.empty()) spec["empty_output"] = verb.empty_output;
    if (verb.num_workers) spec["num_workers"] = *verb.num_workers;
    if (!verb.dry_run.empty()) spec["dry_run"] = verb.dry_run;
    if (!verb.object_timeout.empty()) {
        if (const auto valid = parse_duration(verb.object_timeout); !valid) {
            return valid.error().during("--object-timeout");
        }
        spec["object_timeout"] = verb.object_timeout;
    }
    if (verb.attempts) spec["attempts"] = *verb.attempts;
    if (!verb.on_error.empty()) {
        MILLRACE_TRY_ASSIGN(spec["on_error"], parse_on_error(verb.on_error));
    }
    return {};
}

}  // namespace

Result<std::string> parse_on_error(const std::string& text) {
    if (text == "continue" || text == "abort") return text;
    constexpr std::string_view kAfter = "abort-after";
    if (text.starts_with(kAfter) && text.size() > kAfter.size() &&
        (text[kAfter.size()] == '=' || text[kAfter.size()] == ':')) {
        const std::string limit = text.substr(kAfter.size() + 1);
        const std::string digits = limit.ends_with('%') ? limit.substr(0, limit.size() - 1) : limit;
        if (!digits.empty() && digits.find_first_not_of("0123456789.") == digits.npos) {
            return std::string(kAfter) + ":" + limit;
        }
    }
    return bad("--on-error '" + text + "' is not one of continue, abort, abort-after=N, abort-after=N%");
}

Result<json> job_spec(const JobSubmit& verb, std::istream& in) {
    MILLRACE_TRY_ASSIGN(const ObjectUri source, parse_object_uri(verb.source));
    ObjectUri destination;
    if (verb.operation != "delete") {
        MILLRACE_TRY_ASSIGN(destination, parse_object_uri(verb.destination));
    }
    if (!destination.object.empty()) {
        return bad("the destination is a bucket; to put '" + destination.object + "' in front of the names: ais://" +
                   destination.bucket + " --prepend " + destination.object);
    }
    for (const auto& [flag, text] : {std::pair<const char*, const std::string&>{"TRANSFORM", verb.transform},
                                     {"SRC", source.object},
                                     {"--prefix", verb.prefix},
                                     {"--template", verb.name_template},
                                     {"--prepend", verb.prepend},
                                     {"--args", verb.arguments}}) {
        if (!is_utf8(text)) return bad(std::string(flag) + " is not UTF-8");
    }
    json spec{{"source", "ais://" + source.bucket}};
    if (!destination.bucket.empty()) spec["destination"] = "ais://" + destination.bucket;
    add_work(spec, verb);
    MILLRACE_TRY(add_selection(spec, verb, source.object, in));
    MILLRACE_TRY(add_rename(spec, verb));
    MILLRACE_TRY(add_policies(spec, verb));
    return spec;
}

}  // namespace millrace::cli
