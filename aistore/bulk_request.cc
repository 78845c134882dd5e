#include "aistore/bulk_request.h"

#include "core/json_members.h"

#include <algorithm>

#include "aistore/bucket_identity.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

constexpr std::int64_t kWorkersMax = 1024;

struct Action {
    const char* operation;
    bool whole_bucket;
};

const Action* find_action(const std::string& name) {
    static const std::map<std::string, Action> known{
        {"etl-bck", {"transform", true}}, {"copy-bck", {"copy", true}}, {"etl-listrange", {"transform", false}},
        {"copy-listrange", {"copy", false}}, {"delete-listrange", {"delete", false}}};
    const auto found = known.find(name);
    return found == known.end() ? nullptr : &found->second;
}

Result<void> refuse_what_is_missing(const Fields& fields) {
    MILLRACE_TRY_ASSIGN(const bool synchronize, fields.flag("synchronize"));
    if (synchronize) return fail(Code::invalid_argument, "'synchronize' would delete what the source does not have; jobs here only add to a bucket");
    MILLRACE_TRY_ASSIGN(const bool flat, fields.flag("non-recurs"));
    if (flat) return fail(Code::invalid_argument, "'non-recurs' is not supported; list the objects instead");
    return {};
}

// A list, a template, or a prefix: the first that is given, as in AIStore. Where none is given that means all, but not where somebody's
// list came out empty, nor for what cannot be undone.
Result<void> select(const Fields& fields, json& native) {
    MILLRACE_TRY_ASSIGN(const std::string name_template, fields.text("template"));
    MILLRACE_TRY_ASSIGN(std::string prefix, fields.text("prefix"));
    while (prefix.ends_with('*')) prefix.pop_back();
    const json* names = fields.find("objnames");
    const bool has_list = names != nullptr && !names->is_null();
    if (has_list && !names->empty()) {
        native["objects"] = *names;
    } else if (!name_template.empty()) {
        native["template"] = name_template;
    } else if (!prefix.empty()) {
        native["prefix"] = prefix;
    } else if (has_list) {
        return fail(Code::invalid_argument, "'objnames' is empty: name the objects, or leave it out and give a 'template' or a 'prefix'");
    } else if (native["operation"] == "delete" && fields.find("template") == nullptr && fields.find("prefix") == nullptr) {
        return fail(Code::invalid_argument, "nothing says which objects to delete: give 'objnames', a 'template' or a 'prefix'");
    }
    return {};
}

Result<void> set_policies(const Fields& fields, const std::string& operation, json& native) {
    MILLRACE_TRY_ASSIGN(const std::string prepend, fields.text("prepend"));
    MILLRACE_TRY_ASSIGN(const bool dry_run, fields.flag("dry_run"));
    MILLRACE_TRY_ASSIGN(const bool go_on, fields.flag("coer"));
    MILLRACE_TRY_ASSIGN(const std::int64_t workers, fields.number("num-workers"));
    if (!prepend.empty()) native["prepend"] = prepend;
    if (const json* extensions = fields.find("ext"); extensions != nullptr) native["ext"] = *extensions;
    // AIStore runs the transform and throws the result away.
    if (dry_run) native["dry_run"] = operation == "transform" ? "run" : "plan";
    if (workers != 0) native["num_workers"] = std::clamp<std::int64_t>(workers, 1, kWorkersMax);  // -1: one after another
    native["on_error"] = go_on ? "continue" : "abort";
    return {};
}

}  // namespace

bool is_bulk_action(const std::string& action) { return find_action(action) != nullptr; }

Result<std::vector<std::string>> transforms_of(const ActionMessage& message) {
    const Action* action = find_action(message.action);
    std::vector<std::string> names;
    if (action == nullptr || std::string_view(action->operation) != "transform") return names;
    const Fields fields(message.value);
    MILLRACE_TRY_ASSIGN(names.emplace_back(), fields.text("id"));
    if (names.front().empty()) return fail(Code::invalid_argument, "'id' is missing: the name of the transform");
    const json* pipeline = fields.find("pipeline");
    if (pipeline == nullptr) return names;
    if (!pipeline->is_array()) return fail(Code::invalid_argument, "'pipeline' must be an array of names of transforms");
    for (const json& name : *pipeline) {
        if (!name.is_string()) return fail(Code::invalid_argument, "'pipeline' must be an array of names of transforms");
        names.push_back(name.get<std::string>());
    }
    return names;
}

Result<std::string> native_job_request(const ActionMessage& message, const std::string& source, const std::string& bucket_to) {
    const Action* action = find_action(message.action);
    if (action == nullptr) return fail(Code::invalid_argument, "'" + message.action + "' is not an action on many objects");
    const std::string operation = action->operation;
    const Fields fields(message.value);
    json native{{"operation", operation}, {"kind", message.action}, {"source", source}};
    MILLRACE_TRY(refuse_what_is_missing(fields));
    MILLRACE_TRY(select(fields, native));
    MILLRACE_TRY_ASSIGN(const std::vector<std::string> transforms, transforms_of(message));
    if (!transforms.empty()) {
        native["transform"] = transforms.front();
        native["pipeline"] = std::vector<std::string>(transforms.begin() + 1, transforms.end());
    }
    if (operation == "delete") return json_text(native);  // what is not there is skipped; there is nothing else to say
    MILLRACE_TRY(set_policies(fields, operation, native));
    if (action->whole_bucket) {
        MILLRACE_TRY_ASSIGN(native["destination"], bucket_of_path(bucket_to));
    } else {
        const json* model = fields.find("tobck");
        if (model == nullptr) return fail(Code::invalid_argument, "'tobck' is missing: the bucket that the results go to");
        MILLRACE_TRY_ASSIGN(native["destination"], bucket_of_model(*model));
    }
    return json_text(native);
}

}  // namespace millrace::aistore
