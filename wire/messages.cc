#include "wire/messages.h"

#include <algorithm>
#include <functional>

#include "core/names.h"

namespace millrace::wire {
namespace {

constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr std::size_t kPipelineMax = 15;
constexpr std::size_t kKindBytesMax = 64;
constexpr std::uint32_t kPartsMax = 100'000;
constexpr std::size_t kExtensionsMax = 100;

Error bad(std::string what) { return fail(Code::invalid_argument, std::move(what)); }

Result<void> check_id(std::string_view what, const std::string& id) {
    if (id.empty() || id.size() > kIdBytesMax || !is_utf8(id)) return bad(std::string(what) + " is not an id");
    return {};
}

template <class Enum>
bool in_range(Enum value, Enum first, Enum last) {
    return value >= first && value <= last;
}

// What an operation needs must be there, and nothing else.
Result<void> check_operation(const JobSpec& spec) {
    if (!in_range(spec.operation, Operation::transform, Operation::remove)) return bad("the operation is unknown; the peer may be newer");
    if (spec.operation == Operation::transform) {
        for (const std::string& transform : spec.transforms()) MILLRACE_TRY(validate_transform_name(transform));
    } else if (!spec.transform.empty() || !spec.pipeline.empty() || !spec.args.empty()) {
        return bad("only a transform has transforms and arguments");
    }
    if (spec.operation != Operation::remove) return validate_bucket_name(spec.destination);
    if (!spec.destination.empty() || !spec.ext.empty() || !spec.prepend.empty()) return bad("what is deleted goes nowhere and gets no name");
    return {};
}

Result<void> check_all_but_order(const JobSpec& spec) {
    if (spec.pipeline.size() > kPipelineMax) return bad("a chain has at most " + std::to_string(kPipelineMax + 1) + " transforms");
    MILLRACE_TRY(check_operation(spec));
    MILLRACE_TRY(validate_bucket_name(spec.source));
    if (spec.kind.size() > kKindBytesMax || !is_utf8(spec.kind)) return bad("'kind' must be UTF-8 of at most 64 bytes");
    if (spec.prefix.size() > kObjectNameBytesMax || spec.prepend.size() > kObjectNameBytesMax || !is_utf8(spec.prefix) || !is_utf8(spec.prepend)) {
        return bad("prefix and prepend must be UTF-8 of at most 1024 bytes");
    }
    if (spec.name_template.size() > kObjectNameBytesMax || spec.args.size() > kTextBytesMax) return bad("template or args is too long");
    if (spec.has_list + !spec.name_template.empty() + !spec.prefix.empty() > 1) return bad("give one of prefix, objects and template");
    for (const std::string& object : spec.objects) MILLRACE_TRY(validate_object_name(object));
    if (spec.ext.size() > kExtensionsMax) return bad("at most " + std::to_string(kExtensionsMax) + " extensions can be mapped");
    MILLRACE_TRY(spec.rename().validate());
    if (!in_range(spec.overwrite, Overwrite::always, Overwrite::changed) || !in_range(spec.dry_run, DryRun::no, DryRun::run) ||
        !in_range(spec.on_error, OnError::go_on, OnError::abort_after_percent) ||
        !in_range(spec.empty_output, EmptyOutput::warn, EmptyOutput::fail)) {
        return bad("a policy has an unknown value; the peer may be newer");
    }
    if (spec.num_workers > 1024) return bad("num_workers must be at most 1024");
    if (spec.attempts < 1 || spec.attempts > 100) return bad("attempts must be 1 to 100");
    if (spec.on_error == OnError::abort_after_percent && spec.on_error_limit > 100) return bad("a percentage must be at most 100");
    return {};
}

}  // namespace

std::vector<std::string> JobSpec::transforms() const {
    if (operation != Operation::transform) return {};
    std::vector<std::string> names{transform};
    names.insert(names.end(), pipeline.begin(), pipeline.end());
    return names;
}

Result<void> JobSpec::validate() const {
    MILLRACE_TRY(check_all_but_order(*this));
    if (std::ranges::adjacent_find(objects, std::ranges::greater_equal{}) != objects.end()) {
        return bad("the objects of a list must be sorted, each once");
    }
    return {};
}

Result<void> JobSpec::validate_part() const {
    MILLRACE_TRY(check_all_but_order(*this));
    if (std::ranges::adjacent_find(objects, std::ranges::less_equal{}) != objects.end()) return bad("the objects of a part must descend, each once");
    return {};
}

Result<void> ClusterMap::validate() const {
    for (const Node& node : targets) MILLRACE_TRY(check_id("target id", node.id));
    if (std::ranges::adjacent_find(targets, std::ranges::greater_equal{}, &Node::id) != targets.end()) return bad("cluster map is not sorted");
    return {};
}

bool keep_keys(ClusterMap& map, const ClusterMap& known) {
    const bool has_keys = std::ranges::any_of(known.targets, [](const Node& node) { return !node.key.empty(); });
    for (Node& node : map.targets) {
        if (!node.key.empty()) continue;
        const auto before = std::ranges::find(known.targets, node.id, &Node::id);
        if (before != known.targets.end()) node.key = before->key;
        if (has_keys && node.key.empty()) return false;
    }
    return true;
}

Result<void> Hello::validate() const {
    MILLRACE_TRY(check_id("target id", target_id));
    MILLRACE_TRY(check_id("boot id", boot_id));
    if (endpoint.empty() || endpoint.size() > 512) return bad("hello without an endpoint");
    MILLRACE_TRY(lineage.validate());
    return proxy.validate();
}

Result<void> Welcome::validate() const {
    MILLRACE_TRY(check_id("proxy id", proxy_id));
    MILLRACE_TRY(check_id("boot id", boot_id));
    if (new_branch.size() > kIdBytesMax) return bad("a branch is not an id");
    MILLRACE_TRY(lineage.validate());
    return map.validate();
}

Result<void> Heartbeat::validate() const { return check_id("boot id", boot_id); }

Result<void> check(const BucketEntry& bucket) {
    MILLRACE_TRY(validate_bucket_name(bucket.name));
    MILLRACE_TRY(check_id("bucket uid", bucket.uid));
    if (bucket.small_object_bytes_max <= kSmallObjectBytesMax) return {};
    return bad("'small_object_max' must be at most " + std::to_string(kSmallObjectBytesMax) + ": larger objects are always files");
}

Result<void> check(const TransformEntry& transform) {
    MILLRACE_TRY(validate_transform_name(transform.name));
    if (transform.spec_json.size() <= kSpecBytesMax) return {};
    return bad("the specification of transform '" + transform.name + "' is larger than " + std::to_string(kSpecBytesMax) + " bytes");
}

// Structure only: an entry that check() refuses must not hold up the others.
Result<void> Catalog::validate() const {
    for (const BucketEntry& bucket : buckets) MILLRACE_TRY(check_id("bucket uid", bucket.uid));
    for (const std::string& uid : destroyed_uids) MILLRACE_TRY(check_id("bucket uid", uid));
    return {};
}

Result<void> TransformStatus::validate() const {
    for (const TransformReport& report : transforms) MILLRACE_TRY(validate_transform_name(report.name));
    return {};
}

Result<void> Directive::validate() const {
    MILLRACE_TRY(check_id("job id", job));
    if (!in_range(desired, Desired::prepare, Desired::forget)) return bad("directive with an unknown desired state");
    if (pins.source_uid.size() > kIdBytesMax || pins.destination_uid.size() > kIdBytesMax || pins.transforms.size() > kPipelineMax + 1) {
        return bad("directive with impossible pins");
    }
    if (parts == 0 || parts > kPartsMax || part >= parts) return bad("directive with an impossible part of a list");
    if (boot_id.size() > kIdBytesMax) return bad("directive with an impossible boot id");
    if (has_spec) return parts > 1 ? spec.validate_part() : spec.validate();
    return {};
}

Result<void> DirectiveAck::validate() const { return check_id("job id", job); }

Result<void> SliceStatus::validate() const {
    MILLRACE_TRY(check_id("job id", job));
    if (!in_range(state, SliceState::preparing, SliceState::failed)) return bad("slice status with an unknown state");
    return {};
}

Result<void> StatusAck::validate() const { return check_id("job id", job); }
Result<void> Goodbye::validate() const { return check_id("boot id", boot_id); }

}  // namespace millrace::wire
