#include "tests/sim/target.h"

#include "core/placement.h"
#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {
constexpr auto kTick = milliseconds(500);
constexpr auto kSilenceMax = milliseconds(3000);
const std::string kProxy = "proxy";
}  // namespace

Target::Target(Cluster& cluster, std::string id) : cluster_(cluster), id_(std::move(id)) {
    cluster_.network.attach(id_, [this](const std::string&, const std::string& process, const wire::Message& message) {
        if (up_) receive(process, message);
    });
}

// ---- life and death

void Target::start() {
    if (up_) return;
    up_ = true;
    ++boot_;
    cluster_.world.trace(id_ + " starts, boot " + std::to_string(boot_));
    cluster_.network.enter(id_, boot_id());
    restart_instance();
    disk.sync_removals();
    disk.lineage = wire::next_start(disk.lineage, disk.age++);
    for (auto& [job, slice] : disk.slices) {
        ++slice.incarnation;
        disk.begin(job, id_, make_fence(slice.epoch, slice.incarnation));
        slices_[job] = std::make_unique<Slice>(*this, job, slice, boot_ * 1000 + slices_.size());
    }
    for (auto& [job, slice] : slices_) slice->order(false);
    tick();
}

void Target::kill(bool power_cut) {
    if (!up_) return;
    cluster_.world.trace(id_ + (power_cut ? " loses power" : " is killed"));
    up_ = false;
    instance_up_ = joined_ = false;
    slices_.clear();
    lists_ = {};
    in_instance_.clear();
    proxy_boot_.reset();
    last_heard_ = last_hello_ = {};
    if (power_cut) disk.lose_power();
}

void Target::take_snapshot() {
    cluster_.world.trace("the folder of " + id_ + " is copied with " + std::to_string(disk.age) + " changes");
    snapshot_ = disk;
}

void Target::restore(bool empty) {
    if (up_ || (!empty && !snapshot_)) return;
    cluster_.world.trace(id_ + (empty ? " gets an empty folder" : " gets an older copy of its folder"));
    if (!empty) {
        disk = *snapshot_;
    } else {
        disk = {};
        disk.store = "store-" + std::to_string(++stores_);
    }
    cluster_.network.cut_connections(id_);
    cluster_.truth.kept(id_, disk);
}

void Target::shut_down() {
    if (up_) send(wire::Goodbye{boot_id()});
    kill(false);
}

Slice* Target::find(const std::string& job) {
    const auto found = slices_.find(job);
    return found == slices_.end() ? nullptr : found->second.get();
}

void Target::later(Duration delay, const std::string& job, std::function<void(Slice&)> action) {
    const Slice* slice = find(job);
    if (slice == nullptr) return;
    cluster_.world.after(delay, [this, job, id = slice->id(), action = std::move(action)] {
        Slice* self = find(job);
        if (self != nullptr && self->id() == id) action(*self);
    });
}

// ---- the transform

void Target::enable_transform(bool enabled) {
    if (enabled == enabled_) return;
    enabled_ = enabled;
    cluster_.world.trace(id_ + (enabled ? " enables" : " disables") + " its transform");
    const auto held = std::exchange(in_instance_, {});
    for (const auto& [job, ticket] : held) find(job)->instance_gone(ticket, fail(Code::unavailable, "the transform was stopped"));
    for (auto& [job, slice] : slices_) slice->transform_changed();
}

void Target::crash_instance() {
    if (!up_ || !instance_up_) return;
    cluster_.world.trace(id_ + ": its transform dies");
    restart_instance();
    const auto held = std::exchange(in_instance_, {});
    for (auto& [job, slice] : slices_) slice->transform_changed();
    for (const auto& [job, ticket] : held) find(job)->instance_gone(ticket, fail(Code::crashed, "the transform died"));
}

void Target::restart_instance() {
    instance_up_ = false;
    cluster_.world.after(cluster_.world.random().between_ms(10, 300), [this, boot = boot_, instance = ++instance_] {
        if (!up_ || boot != boot_ || instance != instance_) return;
        instance_up_ = true;
        for (auto& [job, slice] : slices_) slice->transform_changed();
    });
}

// ---- the data plane

void Target::answer(const std::string& job, const PutDone& done, Result<std::uint64_t> result) {
    later(cluster_.world.random().between_ms(0, 5), job, [done, result = std::move(result)](Slice& slice) { done(slice, result); });
}

void Target::put(const std::string& to, Put put, const PutDone& done) {
    Random& random = cluster_.world.random();
    const milliseconds delay = random.chance(cluster_.settings.put_late_permille) ? random.between_ms(0, 4000)
                                                                                 : random.between_ms(0, cluster_.settings.put_ms_max);
    const Slice* sender = find(put.output.job);
    cluster_.world.after(delay, [this, to, put = std::move(put), done, id = sender->id(), boot = boot_] {
        if (to == id_ && boot != boot_) return;  // what a process has in its hands ends with it
        Target& receiver = cluster_.target(to);
        Result<std::uint64_t> result = receiver.boot();
        if (!receiver.is_up() || !cluster_.network.reaches(id_, to)) {
            result = fail(Code::unavailable, "target " + to + " does not answer");
        } else if (auto stored = receiver.disk.put(put); !stored) {
            result = stored.error();
        } else {
            cluster_.truth.made_visible(put.output.job, id_, to, put.fence, to == id_ ? current_fence(put.output.job) : 0);
            cluster_.truth.check_put(put, receiver.disk.uid_of(put.bucket));
        }
        const Slice* slice = find(put.output.job);
        if (slice != nullptr && slice->id() == id) answer(put.output.job, done, result);  // else it landed after its sender's death
    });
}

std::uint64_t Target::current_fence(const std::string& job) const {
    const auto slice = disk.slices.find(job);
    return slice == disk.slices.end() ? UINT64_MAX : make_fence(slice->second.epoch, slice->second.incarnation);
}

void Target::sync(const std::string& to, const std::string& job, const PutDone& done) {
    later(cluster_.world.random().between_ms(0, 30), job, [this, to, job, done](Slice&) {
        Target& receiver = cluster_.target(to);
        if (!receiver.is_up() || !cluster_.network.reaches(id_, to)) {
            return answer(job, done, fail(Code::unavailable, "target " + to + " does not answer"));
        }
        receiver.disk.sync(job, id_);
        answer(job, done, receiver.boot());
    });
}

// ---- the control plane

// The bus tells processes apart: until this one has joined nobody listens to it, and nothing but welcomes is for it.
void Target::send(const wire::Message& message) {
    if (!joined_ && !std::holds_alternative<wire::Hello>(message)) return;
    cluster_.network.send(id_, kProxy, message);
}

void Target::tick() {
    const Instant now = cluster_.world.now();
    if (proxy_boot_ && now - last_heard_ > kSilenceMax) proxy_boot_.reset();
    if (proxy_boot_) {
        send(wire::Heartbeat{.boot_id = boot_id(), .catalog_version = disk.catalog.version, .age = disk.age});
    } else if (now - last_hello_ >= kTick) {
        last_hello_ = now;
        send(wire::Hello{.target_id = id_, .boot_id = boot_id(), .endpoint = "http://" + id_, .cluster_id = "sim", .catalog_version = disk.catalog.version,
                         .lineage = {disk.store, disk.lineage.branches, disk.lineage.generation, disk.lineage.age, boot_id()}, .proxy = disk.proxy});
    }
    cluster_.world.after(kTick, [this, boot = boot_] {
        if (up_ && boot == boot_) tick();
    });
}

void Target::receive(const std::string& process, const wire::Message& message) {
    last_heard_ = cluster_.world.now();
    if (const auto* welcome = std::get_if<wire::Welcome>(&message)) return take_welcome(*welcome);
    if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
        if (proxy_boot_ != heartbeat->boot_id) {
            proxy_boot_.reset();
        } else {
            disk.proxy.age = std::max(disk.proxy.age, heartbeat->age);
        }
    } else if (!joined_) {
        return;
    } else if (const auto* catalog = std::get_if<wire::Catalog>(&message)) {
        take_catalog(*catalog);
    } else if (const auto* directive = std::get_if<wire::Directive>(&message)) {
        if (proxy_boot_ == process) disk.proxy.age = std::max(disk.proxy.age, directive->age);
        take_directive(*directive);
    } else if (const auto* ack = std::get_if<wire::StatusAck>(&message)) {
        if (Slice* slice = find(ack->job)) slice->acknowledged(*ack);
    }
}

void Target::take_welcome(const wire::Welcome& welcome) {
    if (!welcome.refused.empty()) {
        if (!cluster_.settings.copies) throw Broken(id_ + " was refused: " + welcome.refused);
        proxy_boot_.reset();
        joined_ = false;
        return;
    }
    disk.lineage.met = true;
    auto& branches = disk.lineage.branches;
    const bool is_new_branch = !welcome.new_branch.empty() && (branches.empty() || branches.back() != welcome.new_branch);
    if (is_new_branch) {
        for (auto& [job, slice] : disk.slices) {
            if (slice.desired == wire::Desired::prepare || slice.desired == wire::Desired::run) slice.desired = wire::Desired::pause;
            slices_.at(job)->order(true);
        }
        wire::add_branch(branches, welcome.new_branch);
    }
    if (disk.proxy.boot_id != welcome.boot_id || disk.proxy.branches != welcome.lineage.branches) disk.proxy = welcome.lineage;
    ++disk.age;
    if (is_new_branch) {
        last_hello_ = {};  // it says so
        return;
    }
    if (!std::exchange(joined_, true)) {
        for (auto& [job, slice] : slices_) slice->transform_changed();
    }
    if (proxy_boot_ == welcome.boot_id) return;
    proxy_boot_ = welcome.boot_id;
    cluster_.world.trace(id_ + " joins " + welcome.boot_id + " with " + std::to_string(disk.age) + " changes");
    for (auto& [job, slice] : slices_) slice->start_over();
    send(wire::Heartbeat{.boot_id = boot_id(), .catalog_version = disk.catalog.version, .age = disk.age});
}

void Target::take_catalog(const wire::Catalog& catalog) {
    const auto before = disk.digests;
    disk.apply(catalog);
    if (disk.digests != before) {  // another instance
        restart_instance();
        const auto held = std::exchange(in_instance_, {});
        for (const auto& [job, ticket] : held) find(job)->instance_gone(ticket, fail(Code::unavailable, "the transform was stopped"));
    }
    for (auto& [job, slice] : slices_) slice->transform_changed();
}

void Target::take_directive(const wire::Directive& directive) {
    const auto known = disk.slices.find(directive.job);
    const bool is_known = known != disk.slices.end();
    std::optional<worker::KnownOrder> order;
    if (is_known) order = {known->second.revision, known->second.desired, known->second.epoch};
    switch (worker::judge_directive(directive, order)) {
        case worker::DirectiveAction::acknowledge: break;
        case worker::DirectiveAction::contradict: return send(wire::DirectiveAck{directive.job, known->second.revision + 1, false});
        case worker::DirectiveAction::adopt: {
            if (disk.full) return;  // it will be repeated
            wire::Directive whole = directive;
            const auto missing = is_known ? std::nullopt : lists_.add(whole);
            if (missing) return send(wire::DirectiveAck{directive.job, directive.revision, true, *missing});
            return adopt(whole);
        }
        case worker::DirectiveAction::ask_for_spec:
            return send(wire::DirectiveAck{directive.job, directive.revision, true, lists_.missing(directive.job)});
        case worker::DirectiveAction::forget:
            cluster_.world.trace(id_ + " forgets " + directive.job);
            slices_.erase(directive.job);
            lists_.forget(directive.job);
            disk.slices.erase(directive.job);
            disk.fences[{directive.job, "*"}] = UINT64_MAX;
            cluster_.truth.stopped(directive.job, id_, UINT64_MAX);
            cluster_.truth.forgotten(directive.job, id_);
            std::erase_if(in_instance_, [&](const auto& held) { return held.first == directive.job; });
            return send(wire::DirectiveAck{directive.job, directive.revision, false});
    }
    send(wire::DirectiveAck{directive.job, known->second.revision, false});
}

void Target::adopt(const wire::Directive& directive) {
    disk.sync_removals();
    ++disk.age;
    const bool is_new = !disk.slices.contains(directive.job);
    SliceDisk& slice = disk.slices[directive.job];
    slice.revision = directive.revision;
    slice.desired = directive.desired;
    slice.epoch = directive.epoch;
    slice.pass = std::max(slice.pass, directive.pass);
    if (!directive.pins.empty()) slice.pins = directive.pins;
    if (directive.desired == wire::Desired::stop) {
        disk.stop(directive.job, directive.epoch);
        cluster_.truth.stopped(directive.job, id_, make_fence(directive.epoch + 1, 0));
    }
    cluster_.world.trace(id_ + " adopts " + directive.job + " revision " + std::to_string(directive.revision) + " desired " +
                         std::to_string(static_cast<int>(directive.desired)) + " pass " + std::to_string(directive.pass));
    if (is_new) {
        slice.spec = directive.spec;
        select(directive.job, slice);
        slices_[directive.job] = std::make_unique<Slice>(*this, directive.job, slice, boot_ * 1000 + slices_.size());
    }
    disk.begin(directive.job, id_, make_fence(slice.epoch, slice.incarnation));
    send(wire::DirectiveAck{directive.job, slice.revision, false});
    slices_.at(directive.job)->order(!is_new);
}

void Target::select(const std::string& job, SliceDisk& slice) {
    slice.incarnation = 1;
    slice.created_seq_end = disk.next_seq;
    std::map<std::string, std::uint64_t> selection;
    if (slice.spec.has_list) {
        for (const std::string& name : slice.spec.objects) selection[name] = 0;
    } else {
        for (const auto& [name, source] : disk.sources) {
            if (name.starts_with(slice.spec.prefix)) selection[name] = source.version;
        }
    }
    slice.selection = selection;
    cluster_.truth.selected(job, id_, std::move(selection));
}

}  // namespace millrace::sim
