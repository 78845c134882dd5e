#include "scheduler/job_request.h"

#include <algorithm>

#include "core/config.h"
#include "core/json.h"
#include "core/name_template.h"
#include "core/names.h"
#include "core/units.h"
#include "core/whole_number.h"
#include "scheduler/job.h"

namespace millrace::scheduler {
namespace {

using nlohmann::json;
constexpr std::size_t kListedObjectsMax = 1'000'000;
constexpr std::size_t kListedBytesMax = 128 << 20;

Error bad(std::string_view field, std::string_view why) {
    return fail(Code::invalid_argument, "'" + std::string(field) + "' " + std::string(why));
}

Result<std::string> text(const json& body, const char* key, std::string fallback = "") {
    const auto found = body.find(key);
    if (found == body.end() || found->is_null()) return fallback;
    if (!found->is_string()) return bad(key, "must be a text");
    return found->get<std::string>();
}

Result<std::uint64_t> number(const json& body, const char* key, std::uint64_t fallback) {
    const auto found = body.find(key);
    if (found == body.end() || found->is_null()) return fallback;
    if (!found->is_number_unsigned()) return bad(key, "must be a whole number that is not negative");
    return found->get<std::uint64_t>();
}

Result<bool> flag(const json& body, const char* key) {
    const auto found = body.find(key);
    if (found == body.end() || found->is_null()) return false;
    if (!found->is_boolean()) return bad(key, "must be true or false");
    return found->get<bool>();
}

Result<std::string> bucket(const json& body, const char* key) {
    MILLRACE_TRY_ASSIGN(const std::string name, text(body, key));
    if (name.empty()) return bad(key, "is missing: the bucket, as ais://NAME");
    if (!name.starts_with("ais://")) {
        if (auto valid = validate_bucket_name(name); !valid) return bad(key, valid.error().context);
        return name;
    }
    auto uri = parse_object_uri(name);
    if (!uri) return bad(key, uri.error().context);
    if (!uri->object.empty()) return bad(key, "must name a bucket only; give 'prefix' for a part of it");
    return uri->bucket;
}

Result<void> check_keys(const json& body) {
    static const std::vector<std::string> known{"operation", "kind", "transform", "pipeline", "source", "destination", "prefix", "objects", "template",
                                                "ext", "ext_any_case", "prepend", "empty_output", "args",
                                                "overwrite", "num_workers", "dry_run", "object_timeout", "attempts", "on_error"};
    for (const auto& [key, value] : body.items()) {
        if (std::ranges::find(known, key) != known.end()) continue;
        const std::string near = nearest_word(key, known);
        return bad(key, near.empty() ? "is not a known field" : "is not a known field; did you mean '" + near + "'?");
    }
    return {};
}

// An empty one would mean all objects, where somebody meant to say which: a variable that was not set, a list that came out empty.
Result<void> refuse_empty_selection(const json& body) {
    for (const char* key : {"prefix", "template", "objects"}) {
        const auto value = body.find(key);
        if (value == body.end()) continue;
        if (value->is_null() || (value->is_string() && value->get_ref<const std::string&>().empty())) {
            return bad(key, "is empty; leave it out to take all objects");
        }
    }
    return {};
}

Result<void> read_selection(const json& body, JobRequest& request) {
    wire::JobSpec& spec = request.spec;
    MILLRACE_TRY(refuse_empty_selection(body));
    MILLRACE_TRY_ASSIGN(spec.prefix, text(body, "prefix"));
    MILLRACE_TRY_ASSIGN(spec.name_template, text(body, "template"));
    if (!spec.name_template.empty()) MILLRACE_TRY(NameTemplate::parse(spec.name_template));
    const auto objects = body.find("objects");
    if (objects != body.end()) {
        if (!objects->is_array()) return bad("objects", "must be an array of object names");
        if (objects->size() > kListedObjectsMax) return bad("objects", "has more than 1,000,000 names; use a prefix or a template");
        spec.has_list = true;
        std::size_t bytes = 0;
        for (const json& name : *objects) {
            if (!name.is_string()) return bad("objects", "must be an array of object names");
            request.objects.push_back(name.get<std::string>());
            MILLRACE_TRY(validate_object_name(request.objects.back()));
            if ((bytes += request.objects.back().size()) > kListedBytesMax) {
                return bad("objects", "has more than 128 MiB of names; use a prefix or a template, or submit the list in several jobs");
            }
        }
        std::ranges::sort(request.objects);
        const auto doubled = std::ranges::unique(request.objects);
        request.objects.erase(doubled.begin(), doubled.end());
    }
    if (spec.has_list + !spec.name_template.empty() + !spec.prefix.empty() > 1) {
        return fail(Code::invalid_argument, "give one of 'prefix', 'objects' and 'template', not several");
    }
    return {};
}

Result<void> read_operation(const json& body, wire::JobSpec& spec) {
    MILLRACE_TRY_ASSIGN(spec.kind, text(body, "kind"));
    MILLRACE_TRY_ASSIGN(const std::string name, text(body, "operation", "transform"));
    for (const auto operation : {wire::Operation::transform, wire::Operation::copy, wire::Operation::remove}) {
        if (name != operation_name(operation)) continue;
        spec.operation = operation;
        return {};
    }
    return bad("operation", "must be transform, copy or delete");
}

// The fields that another operation has, and this one has not.
Result<void> check_operation_fields(const json& body, wire::Operation operation) {
    const auto refuse = [&](std::initializer_list<const char*> keys, const char* why) -> Result<void> {
        for (const char* key : keys) {
            const auto found = body.find(key);
            if (found != body.end() && !found->empty() && *found != "" && *found != false) return bad(key, why);
        }
        return {};
    };
    if (operation == wire::Operation::transform) return {};
    MILLRACE_TRY(refuse({"transform", "pipeline", "args", "empty_output"}, "is for the operation 'transform'; a copy is the object as it is"));
    if (operation == wire::Operation::copy) return {};
    return refuse({"destination", "ext", "ext_any_case", "prepend", "overwrite"}, "makes no sense for the operation 'delete', which writes nothing");
}

Result<void> read_transforms(const json& body, wire::JobSpec& spec) {
    if (spec.operation != wire::Operation::transform) return {};
    MILLRACE_TRY_ASSIGN(spec.transform, text(body, "transform"));
    if (auto valid = validate_transform_name(spec.transform); !valid) return bad("transform", valid.error().context);
    const auto pipeline = body.find("pipeline");
    if (pipeline == body.end() || pipeline->is_null()) return {};
    if (!pipeline->is_array()) return bad("pipeline", "must be an array of the names of further transforms");
    for (const json& name : *pipeline) {
        if (!name.is_string()) return bad("pipeline", "must be an array of the names of further transforms");
        spec.pipeline.push_back(name.get<std::string>());
        if (auto valid = validate_transform_name(spec.pipeline.back()); !valid) return bad("pipeline", valid.error().context);
    }
    return {};
}

Result<void> read_renaming(const json& body, wire::JobSpec& spec) {
    MILLRACE_TRY_ASSIGN(spec.prepend, text(body, "prepend"));
    MILLRACE_TRY_ASSIGN(spec.ext_any_case, flag(body, "ext_any_case"));
    const auto ext = body.find("ext");
    if (ext != body.end() && !ext->is_null()) {
        if (!ext->is_object()) return bad("ext", "must be an object such as {\"flac\": \"wav\"}");
        if (ext->size() > 100) return bad("ext", "must not map more than 100 extensions");
        for (const auto& [from, to] : ext->items()) {
            if (!to.is_string()) return bad("ext", "must map texts to texts");
            const auto plain = [](const std::string& name) { return name.substr(name.starts_with('.') ? 1 : 0); };
            const bool is_new = spec.ext.emplace(plain(from), plain(to.get<std::string>())).second;
            if (!is_new) return bad("ext", "maps '" + plain(from) + "' twice");
        }
    }
    if (spec.ext_any_case && spec.ext.empty()) return bad("ext_any_case", "is for a map of extensions; give 'ext', too");
    return spec.rename().validate();
}

Result<void> read_on_error(const std::string& policy, wire::JobSpec& spec) {
    if (policy == "continue") return {};
    if (policy == "abort") {
        spec.on_error = wire::OnError::abort_after_count;
        return {};
    }
    constexpr std::string_view kAfter = "abort-after:";
    if (policy.starts_with(kAfter)) {
        std::string_view limit = std::string_view(policy).substr(kAfter.size());
        const bool percent = limit.ends_with('%');
        if (percent) limit.remove_suffix(1);
        const auto number = parse_whole<std::uint64_t>(limit);
        if (number && (!percent || *number <= 100)) {
            spec.on_error_limit = *number;
            spec.on_error = percent ? wire::OnError::abort_after_percent : wire::OnError::abort_after_count;
            return {};
        }
    }
    return bad("on_error", "must be continue, abort, abort-after:N or abort-after:N%");
}

Result<void> read_policies(const json& body, wire::JobSpec& spec) {
    MILLRACE_TRY_ASSIGN(const std::string overwrite, text(body, "overwrite", "always"));
    if (overwrite == "never") {
        spec.overwrite = wire::Overwrite::never;
    } else if (overwrite == "changed") {
        spec.overwrite = wire::Overwrite::changed;
    } else if (overwrite != "always") {
        return bad("overwrite", "must be always, never or changed");
    }
    MILLRACE_TRY_ASSIGN(const std::string empty_output, text(body, "empty_output", "warn"));
    if (empty_output == "keep") {
        spec.empty_output = wire::EmptyOutput::keep;
    } else if (empty_output == "fail") {
        spec.empty_output = wire::EmptyOutput::fail;
    } else if (empty_output != "warn") {
        return bad("empty_output", "must be warn, fail or keep");
    }
    MILLRACE_TRY_ASSIGN(const std::string dry_run, text(body, "dry_run"));
    if (dry_run == "plan") {
        spec.dry_run = wire::DryRun::plan;
    } else if (dry_run == "run") {
        spec.dry_run = wire::DryRun::run;
    } else if (!dry_run.empty()) {
        return bad("dry_run", "must be plan or run");
    }
    MILLRACE_TRY_ASSIGN(const std::uint64_t workers, number(body, "num_workers", 0));
    if (workers > 1024) return bad("num_workers", "must be at most 1024");
    spec.num_workers = static_cast<std::uint32_t>(workers);
    MILLRACE_TRY_ASSIGN(const std::uint64_t attempts, number(body, "attempts", 3));
    if (attempts < 1 || attempts > 100) return bad("attempts", "must be 1 to 100");
    spec.attempts = static_cast<std::uint32_t>(attempts);
    MILLRACE_TRY_ASSIGN(const std::string timeout, text(body, "object_timeout"));
    if (!timeout.empty()) {
        const auto parsed = parse_duration(timeout);
        if (!parsed || *parsed <= milliseconds(0)) return bad("object_timeout", "must be a duration such as 500ms, 10s or 1m30s");
        spec.object_timeout_ms = static_cast<std::uint64_t>(parsed->count());
    }
    MILLRACE_TRY_ASSIGN(const std::string on_error, text(body, "on_error", "continue"));
    return read_on_error(on_error, spec);
}

std::string on_error_text(const wire::JobSpec& spec) {
    if (spec.on_error == wire::OnError::go_on) return "continue";
    return "abort-after:" + std::to_string(spec.on_error_limit) + (spec.on_error == wire::OnError::abort_after_percent ? "%" : "");
}

json filled_in(const JobRequest& request) {
    const wire::JobSpec& spec = request.spec;
    static constexpr const char* kOverwrite[] = {"always", "never", "changed"};
    static constexpr const char* kDryRun[] = {"", "plan", "run"};
    static constexpr const char* kEmptyOutput[] = {"warn", "keep", "fail"};
    return {{"operation", operation_name(spec.operation)}, {"kind", spec.kind}, {"transform", spec.transform}, {"pipeline", spec.pipeline},
            {"source", bucket_uri(spec.source)}, {"destination", bucket_uri(spec.destination)},
            {"prefix", spec.prefix}, {"template", spec.name_template}, {"listed_objects", request.objects.size()}, {"ext", spec.ext},
            {"ext_any_case", spec.ext_any_case}, {"prepend", spec.prepend},
            {"empty_output", kEmptyOutput[static_cast<int>(spec.empty_output)]}, {"args", spec.args},
            {"overwrite", kOverwrite[static_cast<int>(spec.overwrite)]},
            {"num_workers", spec.num_workers}, {"dry_run", kDryRun[static_cast<int>(spec.dry_run)]},
            {"object_timeout", spec.object_timeout_ms == 0 ? "" : duration_text(milliseconds(spec.object_timeout_ms))},
            {"attempts", spec.attempts}, {"on_error", on_error_text(spec)}};
}

}  // namespace

Result<JobRequest> parse_job_request(const std::string& body_text) {
    auto parsed = parse_json(body_text);
    if (!parsed) return parsed.error().during("reading the request body");
    const json body = *std::move(parsed);
    if (!body.is_object()) return fail(Code::invalid_argument, "the request body must be a JSON object");
    MILLRACE_TRY(check_keys(body));
    JobRequest request;
    MILLRACE_TRY(read_operation(body, request.spec));
    MILLRACE_TRY(check_operation_fields(body, request.spec.operation));
    MILLRACE_TRY(read_transforms(body, request.spec));
    MILLRACE_TRY_ASSIGN(request.spec.source, bucket(body, "source"));
    if (request.spec.operation != wire::Operation::remove) {
        MILLRACE_TRY_ASSIGN(request.spec.destination, bucket(body, "destination"));
    }
    MILLRACE_TRY(read_selection(body, request));
    MILLRACE_TRY(read_renaming(body, request.spec));
    MILLRACE_TRY_ASSIGN(request.spec.args, text(body, "args"));
    MILLRACE_TRY(read_policies(body, request.spec));
    if (request.spec.source == request.spec.destination && request.spec.dry_run == wire::DryRun::no) {
        return bad("destination", "must be another bucket than the source, also with other names: outputs could overwrite objects that are "
                                  "still to be read");
    }
    MILLRACE_TRY(request.spec.validate());
    request.json = filled_in(request).dump(-1, ' ', false, json::error_handler_t::replace);
    return request;
}

}  // namespace millrace::scheduler
