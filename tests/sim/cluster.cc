#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {

std::vector<TargetId> make_ids(std::size_t count) {
    std::vector<TargetId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.emplace_back("t" + std::to_string(i + 1));
    return ids;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, std::size_t targets, Settings given)
    : settings(std::move(given)), world(seed), network(world), proxy(*this), ids_(make_ids(targets)) {
    for (const TargetId& id : ids_) targets_.push_back(std::make_unique<Target>(*this, id.str()));
}

// What runs ends before what it uses.
Cluster::~Cluster() {
    is_closing = true;
    world.after({}, [this] {
        proxy.kill();
        for (const auto& target : targets_) target->kill(false);
    });
    bool all_dead = false;
    while (!all_dead) {
        try {
            if (!step()) return;
            all_dead = !proxy.is_up() && proxy.bury_the_dead();
            for (const auto& target : targets_) all_dead = !target->is_up() && target->bury_the_dead() && all_dead;
        } catch (const Broken& broken) {  // what was found before is what is reported
            world.trace(broken.what());
        }
    }
}

Target& Cluster::target(const std::string& id) {
    for (const auto& target : targets_) {
        if (target->id() == id) return *target;
    }
    throw Broken("no target " + id);
}

bool Cluster::step() {
    if (!world.step()) return false;
    proxy.bury_the_dead();
    for (const auto& target : targets_) target->bury_the_dead();
    return true;
}

Duration Cluster::blocking_time() {
    Random& random = world.random();
    return random.chance(settings.blocking_late_permille) ? random.between_ms(0, 4000) : random.between_ms(0, settings.blocking_ms_max);
}

void Cluster::put_source(const std::string& name) { target(placement_.owner(name)->str()).disk.put_source(name, ++versions_[name]); }

void Cluster::remove_source(const std::string& name) {
    if (target(placement_.owner(name)->str()).disk.sources.erase(name) > 0) truth.removed(name);
}

void Cluster::selected(const std::string& id, const std::string& job) {
    Disk& disk = target(id).disk;
    SliceDisk& slice = disk.slices.at(job);
    std::map<std::string, std::uint64_t> selection;
    if (slice.spec.has_list) {
        for (const std::string& name : slice.spec.objects) selection[name] = 0;
    } else {
        for (const auto& [name, source] : disk.sources) {
            if (name.starts_with(slice.spec.prefix)) selection[name] = source.version;
        }
    }
    slice.selection = selection;
    look([&] { truth.selected(job, id, std::move(selection)); });
}

void Cluster::look(const std::function<void()>& check) {
    try {
        check();
    } catch (const Broken& broken) {
        world.broke(broken.what());
    }
}

void Cluster::check_slice(const std::string& id, const std::string& job) {
    look([&] { truth.check_slice(job, id, disks(), settings.target.window_objects_max); });
}

void Cluster::check_slices() {
    for (const auto& target : targets_) {
        for (const auto& [job, slice] : target->disk.slices) truth.check_slice(job, target->id(), disks(), settings.target.window_objects_max);
    }
}

Disks Cluster::disks() const {
    Disks all;
    for (const auto& target : targets_) all[target->id()] = &target->disk;
    return all;
}

}  // namespace millrace::sim
