#include "worker/transform_table.h"

#include <algorithm>

#include "core/hash.h"
#include "core/log.h"

namespace millrace::worker {

TransformTable::TransformTable(runtime::InstanceEnvironment environment, std::function<void()> changed)
    : environment_(std::move(environment)), changed_(std::move(changed)), tasks_(environment_.control) {
    environment_.changed = changed_;
}

TransformTable::~TransformTable() = default;

void TransformTable::apply(const std::vector<wire::TransformEntry>& wanted) {
    std::vector<std::pair<std::string, std::shared_ptr<const Transform>>> leaving;
    std::vector<wire::TransformEntry> starting;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(held_, [&](const auto& item) {
            const bool stays = std::ranges::find(wanted, item.first, &wire::TransformEntry::name) != wanted.end();
            if (!stays && item.second.transform) leaving.emplace_back(item.first, item.second.transform);
            return !stays;
        });
        for (const wire::TransformEntry& entry : wanted) {
            Held& held = held_[entry.name];
            const bool runs = held.transform != nullptr;
            if (entry.enabled && runs_as_wanted(held, entry)) {
                take_image(held, entry);
                continue;
            }
            if (runs) leaving.emplace_back(entry.name, std::exchange(held.transform, nullptr));
            held.spec_json = entry.spec_json;
            held.problem = "transform '" + entry.name + "' is stopped; start it with: millrace etl start " + entry.name;
            if (entry.enabled) starting.push_back(entry);
        }
        for (const auto& [name, transform] : leaving) stopping_.insert(name);
    }
    for (auto& [name, transform] : leaving) tasks_.spawn(run_stop(name, std::move(transform)));
    for (const wire::TransformEntry& entry : starting) start(entry);
    changed_();
}

bool TransformTable::runs_as_wanted(const Held& held, const wire::TransformEntry& entry) {
    if (held.transform == nullptr || held.spec_json != entry.spec_json) return false;
    const std::string running = held.transform->instance->status().image;
    return entry.image == held.image || running.empty() || entry.image == running;
}

void TransformTable::take_image(Held& held, const wire::TransformEntry& entry) {
    if (held.image == entry.image) return;
    const runtime::TransformSpec& spec = held.transform->instance->spec();
    // A new one: lanes look at the one that they found.
    held.transform = std::make_shared<const Transform>(
        Transform{held.transform->instance, spec::digest(spec, entry.image), held.transform->metrics});
    held.image = entry.image;
}

void TransformTable::start(const wire::TransformEntry& entry) {
    auto parsed = spec::parse_spec(entry.spec_json, "transform '" + entry.name + "'");
    const std::lock_guard lock(mutex_);
    Held& held = held_[entry.name];
    if (!parsed) {
        held.problem = parsed.error().context;
        log::error("transform has a bad specification", {{"transform", entry.name}, {"error", parsed.error()}});
        return;
    }
    runtime::InstanceEnvironment environment = environment_;
    // A folder of its own even while an older instance of that name still stops.
    environment.folder += "/" + entry.name + "-" + std::to_string(++folders_);
    if (parsed->spec.kind == spec::Kind::oci) environment.image = std::make_shared<runtime::ImagePin>(entry.image);
    auto transform = std::make_shared<Transform>();
    transform->digest = spec::digest(parsed->spec, entry.image);
    transform->metrics = std::make_shared<TransformMetrics>(entry.name);
    transform->instance = runtime::make_instance(std::move(parsed->spec), std::move(environment));
    held.transform = transform;
    held.image = entry.image;
    held.problem.clear();
    tasks_.spawn(run_start(entry.name, transform));
}

Task<void> TransformTable::run_start(std::string name, std::shared_ptr<const Transform> transform) {
    const Result<void> started = co_await transform->instance->start();
    if (started) {
        log::info("transform running", {{"transform", name}});
    } else {
        log::warn("transform cannot start", {{"transform", name}, {"error", started.error()}});
    }
    changed_();
}

Task<void> TransformTable::run_stop(std::string name, std::shared_ptr<const Transform> transform) {
    co_await transform->instance->stop();
    {
        const std::lock_guard lock(mutex_);
        stopping_.erase(stopping_.find(name));
    }
    changed_();
}

Task<void> TransformTable::stop() {
    apply({});
    co_await tasks_.join();
}

std::shared_ptr<const Transform> TransformTable::find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = held_.find(name);
    return found == held_.end() ? nullptr : found->second.transform;
}

std::shared_ptr<const spec::TransformSpec> TransformTable::spec_of(const std::string& name) const {
    const std::shared_ptr<const Transform> transform = find(name);
    return transform ? std::shared_ptr<const spec::TransformSpec>(transform, &transform->instance->spec()) : nullptr;
}

Result<void> TransformTable::ready(const std::string& name, std::uint64_t digest) const {
    const std::lock_guard lock(mutex_);
    const auto found = held_.find(name);
    if (found == held_.end()) {
        return fail(Code::unavailable, "transform '" + name + "' does not exist; register it with: millrace etl init");
    }
    if (!found->second.transform) return fail(Code::unavailable, found->second.problem);
    if (digest != 0 && digest != found->second.transform->digest) {
        return fail(Code::unavailable, "transform '" + name + "' on this target has digest " + checksum_text(found->second.transform->digest) +
            " instead of " + checksum_text(digest) + ": it is another than the one that is meant");
    }
    const runtime::InstanceStatus status = found->second.transform->instance->status();
    if (status.state == runtime::InstanceState::running) {
        if (found->second.image.empty() && !status.image.empty()) {
            return fail(Code::unavailable, "transform '" + name + "' waits for the proxy to say which image all targets run");
        }
        return {};
    }
    const bool given_up = status.state == runtime::InstanceState::aborted;
    return fail(given_up ? Code::conflict : Code::unavailable, "transform '" + name + "' is " + std::string(runtime::state_name(status.state)) +
        (status.reason.empty() ? "" : ": " + status.reason) +
        (given_up ? "; mend it, then: millrace etl restart " + name : ""));
}

void TransformTable::measure() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, held] : held_) {
        if (held.transform) held.transform->metrics->measure(held.transform->instance->usage());
    }
}

std::vector<wire::TransformReport> TransformTable::report() const {
    const std::lock_guard lock(mutex_);
    std::vector<wire::TransformReport> reports;
    for (const auto& [name, held] : held_) {
        wire::TransformReport report{.name = name, .state = "stopped", .reason = held.problem,
                                     .spec_json_digest = checksum_text(xxh64(held.spec_json))};
        if (held.transform) {
            const runtime::InstanceStatus status = held.transform->instance->status();
            report.state = runtime::state_name(status.state);
            report.reason = status.reason;
            report.pid = status.pid;
            report.start = status.start;
            report.image = status.image;
            report.sandbox = status.sandbox;
            report.sandbox_lacks = status.sandbox_lacks;
            report.restarts = status.restarts;
            report.runs = status.runs;
            report.failures = status.failures;
            report.last_death = status.last_death;
            report.last_death_log = status.last_death_log;
            const runtime::ServerUsage usage = held.transform->instance->usage();
            report.cpu_millis = static_cast<std::uint64_t>(usage.cpu_seconds * 1000);
            report.memory_bytes = usage.memory_bytes;
        } else if (stopping_.contains(name)) {
            report.state = "stopping";
        }
        reports.push_back(std::move(report));
    }
    for (const std::string& name : stopping_) {
        if (!held_.contains(name)) reports.push_back({.name = name, .state = "stopping"});
    }
    return reports;
}

}  // namespace millrace::worker
