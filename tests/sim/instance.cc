#include "tests/sim/instance.h"

#include "core/hash.h"

namespace millrace::sim {

Instance::Instance(World& world, std::function<void()> changed) : world_(world), changed_(std::move(changed)) {}
Instance::~Instance() { *alive_ = false; }

void Instance::apply(const std::vector<wire::TransformEntry>& wanted) {
    if (wanted.empty()) {
        entry_ = {};
        spec_.reset();
        digest_ = 0;
        up_ = false;
        return throw_out(fail(Code::unavailable, "the transform was removed"));
    }
    if (wanted.front().spec_json == entry_.spec_json) return;
    entry_ = wanted.front();
    auto parsed = spec::parse_spec(entry_.spec_json, entry_.name);
    if (!parsed) return world_.broke("a specification of our own cannot be parsed: " + parsed.error().context);
    digest_ = spec::digest(parsed->spec);
    spec_ = std::make_shared<spec::TransformSpec>(std::move(parsed->spec));
    restart();
    throw_out(fail(Code::unavailable, "the transform was stopped"));
}

std::vector<wire::TransformReport> Instance::report() const {
    if (!spec_) return {};
    wire::TransformReport report{.name = entry_.name, .state = up_ ? "running" : "starting"};
    report.spec_json_digest = checksum_text(xxh64(entry_.spec_json));
    return {report};
}

Result<void> Instance::ready(const std::string& name, std::uint64_t digest) const {
    if (!spec_ || name != entry_.name) return fail(Code::unavailable, "transform '" + name + "' does not exist");
    if (digest != 0 && digest != digest_) return fail(Code::unavailable, "another transform has the name");
    if (!up_ || !enabled_) return fail(Code::unavailable, "the transform does not run");
    return {};
}

std::shared_ptr<const spec::TransformSpec> Instance::spec_of(const std::string& name) const { return name == entry_.name ? spec_ : nullptr; }

void Instance::enable(bool enabled) {
    if (enabled == enabled_) return;
    enabled_ = enabled;
    if (!enabled) throw_out(fail(Code::unavailable, "the transform was stopped"));
    changed_();
}

void Instance::crash() {
    if (!up_) return;
    world_.trace("an instance dies");
    restart();
    changed_();
    throw_out(fail(Code::crashed, "the transform died"));
}

void Instance::restart() {
    up_ = false;
    world_.after(world_.random().between_ms(10, 300), [this, alive = alive_, life = ++lives_] {
        if (!*alive || life != lives_ || !spec_) return;
        up_ = true;
        changed_();
    });
}

std::shared_ptr<Instance::Place> Instance::enter(const Executor& executor) {
    auto place = std::make_shared<Place>(executor);
    std::erase_if(inside_, [](const auto& other) { return other.expired(); });
    inside_.push_back(place);
    return place;
}

void Instance::throw_out(const Error& why) {
    for (const std::weak_ptr<Place>& weak : std::exchange(inside_, {})) {
        const auto place = weak.lock();
        if (!place) continue;
        place->why = why;
        place->ended.set();
    }
}

}  // namespace millrace::sim
