#include "tests/sim/proxy.h"

#include <algorithm>

#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {
constexpr auto kTick = milliseconds(100);
constexpr auto kSilenceMax = milliseconds(3000);
const std::string kProxy = "proxy";
constexpr std::size_t kPartBytesMax = 40;  // so that lists come in parts

std::string program(std::uint64_t number) { return "{\"name\": \"transform\", \"cmd\": \"cat " + std::to_string(number) + "\"}"; }

}  // namespace

Proxy::Proxy(Cluster& cluster) : cluster_(cluster) {
    cluster_.network.attach(kProxy, [this](const std::string& from, const std::string& process, const wire::Message& message) {
        if (is_up()) receive(from, process, message);
    });
    for (const char* bucket : {"source", "destination-1", "destination-2"}) (void)catalog_.create_bucket(bucket, 0, 0);
    (void)catalog_.add_transform("transform", program(0));
}

void Proxy::start() {
    if (is_up()) return;
    ++boot_;
    cluster_.world.trace("proxy starts, boot " + std::to_string(boot_));
    cluster_.network.enter(kProxy, boot_id());
    effects_left_.reset();
    seen_.clear();
    std::vector<std::string> known;
    for (const TargetId& id : cluster_.target_ids()) known.push_back(id.str());
    folder_.lineage = wire::next_start(folder_.lineage, folder_.age++);
    leadership_ = std::make_unique<scheduler::Leadership>("proxy", "sim", boot_id(), folder_.lineage);
    membership_ = std::make_unique<scheduler::Membership>("sim", known, boot_ * 1000, kSilenceMax, folder_.known);
    scheduler_ = std::make_unique<scheduler::Scheduler>([this](const std::string& target) { return membership_->is_online(target); });
    for (const auto& [id, bytes] : folder_.jobs) {
        scheduler_->restore(msgpack::unpack(bytes.data(), bytes.size()).get().as<scheduler::Job>(),
                            scheduler::ListedObjects(folder_.objects[id], known, kPartBytesMax));
    }
    check_jobs();
    tick();
}

void Proxy::kill() {
    if (!is_up()) return;
    cluster_.world.trace("proxy is killed");
    scheduler_.reset();
    membership_.reset();
}

void Proxy::restore() {
    if (is_up() || !snapshot_) return;
    cluster_.world.trace("proxy gets an older copy of its folder");
    folder_ = *snapshot_;
    cluster_.network.cut_connections(kProxy);
    cluster_.truth.proxy_forgot();
}

bool Proxy::has_problems() const {
    if (!is_up()) return true;
    const auto& members = membership_->members();
    return !leadership_->outdated().empty() || std::ranges::any_of(members, [](const auto& item) { return !item.second.online; });
}

void Proxy::accept_what_is_refused() {
    if (!is_up()) return;
    const std::string branch = "br-" + std::to_string(++branches_);
    if (auto own = leadership_->accepted(branch)) {
        cluster_.world.trace("operator accepts the proxy");
        scheduler_->overtake(leadership_->lives_since_copy(), cluster_.world.now());
        carry_out();
        if (!is_up()) return;
        folder_.lineage = *own;
        leadership_->accept(std::move(*own));
        return;
    }
    for (const TargetId& id : cluster_.target_ids()) {
        if (!membership_->accept(id.str(), branch)) continue;
        cluster_.world.trace("operator accepts " + id.str());
        std::erase_if(seen_, [&](const auto& item) { return item.first.second == id.str(); });
        scheduler_->target_accepted(id.str(), "target " + id.str() + " was accepted", cluster_.world.now());
        carry_out();
        if (is_up()) folder_.known = membership_->known();  // last: one that dies in between finds the copy refused, as before
        return;
    }
}

bool Proxy::submit(scheduler::Job job, const std::vector<std::string>& objects) {
    if (!is_up()) return false;
    auto pins = scheduler::pins_of(job.spec, catalog_);
    if (!pins) return false;
    job.pins = {{job.epoch, std::move(*pins)}};
    std::vector<std::string> targets;
    for (const TargetId& id : cluster_.target_ids()) targets.push_back(id.str());
    folder_.objects[job.id] = objects;
    cluster_.world.trace("user submits " + job.id);
    scheduler_->submit(job, scheduler::ListedObjects(objects, targets, kPartBytesMax), targets, cluster_.world.now());
    carry_out();
    return folder_.jobs.contains(job.id);
}

bool Proxy::command(const std::string& job, const scheduler::Scheduler::Command& change) {
    if (!is_up()) return false;
    const bool accepted = scheduler_->command(job, change, cluster_.world.now(), cluster_.world.unix_now_ns()).has_value();
    carry_out();
    return accepted;
}

bool Proxy::start_again(const std::string& job, scheduler::Again how, bool with_current) {
    const std::int64_t now = cluster_.world.unix_now_ns();
    return command(job, [&](scheduler::Job& live) { return scheduler::start_again(live, how, with_current, catalog_, now); });
}

bool Proxy::change_catalog(const scheduler::DesiredCatalog& changed) {
    catalog_ = changed;
    for (const std::string& uid : catalog_.wire().destroyed_uids) cluster_.truth.destroyed(uid);
    for (const auto& [target, member] : membership_->members()) cluster_.network.send(kProxy, target, catalog_.wire());
    check_jobs();
    carry_out();
    return true;
}

void Proxy::check_jobs() {
    scheduler_->check_unfinished([this](const scheduler::Job& job) { return scheduler::check_pins(job, catalog_, "resume"); },
                                 cluster_.world.now(), cluster_.world.unix_now_ns());
}

bool Proxy::destroy_bucket(const std::string& bucket) {
    if (!is_up() || scheduler_->user_of_bucket(bucket)) return false;
    scheduler::DesiredCatalog changed = catalog_;
    if (!changed.destroy_bucket(bucket)) return false;
    cluster_.world.trace("user destroys " + bucket);
    return change_catalog(changed);
}

bool Proxy::rename_bucket(const std::string& from, const std::string& to) {
    if (!is_up() || scheduler_->user_of_bucket(from)) return false;
    scheduler::DesiredCatalog changed = catalog_;
    if (!changed.rename_bucket(from, to)) return false;
    cluster_.world.trace("user renames " + from + " to " + to);
    return change_catalog(changed);
}

bool Proxy::create_bucket(const std::string& bucket) {
    scheduler::DesiredCatalog changed = catalog_;
    if (!is_up() || !changed.create_bucket(bucket, 0, 0)) return false;
    cluster_.world.trace("user creates " + bucket);
    return change_catalog(changed);
}

bool Proxy::replace_transform(const std::string& transform) {
    if (!is_up() || scheduler_->user_of_transform(transform)) return false;
    scheduler::DesiredCatalog changed = catalog_;
    if (!changed.remove_transform(transform) || !changed.add_transform(transform, program(++programs_))) return false;
    cluster_.world.trace("user registers another " + transform);
    return change_catalog(changed);
}

bool Proxy::remove(const std::string& job) {
    if (!is_up()) return false;
    const bool accepted = scheduler_->remove(job).has_value();
    carry_out();
    return accepted;
}

const scheduler::Job* Proxy::find(const std::string& job) const {
    const scheduler::LiveJob* live = is_up() ? scheduler_->find(job) : nullptr;
    return live == nullptr ? nullptr : &live->job;
}

void Proxy::tick() {
    membership_->tick(cluster_.world.now());
    scheduler_->tick(cluster_.world.now(), cluster_.world.unix_now_ns());
    if (++ticks_ % 5 == 0) {
        const wire::Heartbeat beat{.boot_id = boot_id(), .age = folder_.age};
        for (const auto& [target, member] : membership_->members()) cluster_.network.send(kProxy, target, beat);
        folder_.known = membership_->known();
        ++folder_.age;
    }
    carry_out();
    cluster_.world.after(kTick, [this, boot = boot_] {
        if (is_up() && boot == boot_) tick();
    });
}

void Proxy::receive(const std::string& from, const std::string& process, const wire::Message& message) {
    const Instant now = cluster_.world.now();
    const scheduler::Member* member = membership_->find(from);
    if (const auto* hello = std::get_if<wire::Hello>(&message)) {
        receive_hello(from, *hello);
    } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
        receive_heartbeat(from, *heartbeat);
    } else if (member == nullptr || member->boot_id != process) {
        return;  // not the process that is the member: it must say hello first
    } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
        membership_->goodbye(from, *goodbye);
    } else if (const auto* status = std::get_if<wire::SliceStatus>(&message)) {
        membership_->grew_older(from, status->age);
        scheduler_->receive(from, *status, now, cluster_.world.unix_now_ns());
        check_progress(status->job, from);
    } else if (const auto* ack = std::get_if<wire::DirectiveAck>(&message)) {
        scheduler_->receive(from, *ack, now, cluster_.world.unix_now_ns());
    }
    carry_out();
}

void Proxy::receive_hello(const std::string& from, const wire::Hello& hello) {
    const Instant now = cluster_.world.now();
    const bool was_online = membership_->is_online(from);
    const std::string old_boot = membership_->find(from)->boot_id;
    const bool had_new_branch = !membership_->find(from)->known.new_branch.empty();
    if (!leadership_->hear(hello)) {
        membership_->part();
        return cluster_.network.send(kProxy, from, wire::Welcome{.proxy_id = kProxy, .boot_id = boot_id(), .cluster_id = "sim",
                                     .refused = leadership_->outdated()}, hello.boot_id);
    }
    const Result<void> joined = membership_->hello(hello, true, now);
    if (!joined && joined.error().code == Code::unavailable) return;
    leadership_->set_met(true);
    folder_.lineage.met = true;
    wire::Lineage lineage = leadership_->lineage();
    lineage.age = folder_.age;
    cluster_.network.send(kProxy, from, wire::Welcome{.proxy_id = kProxy, .boot_id = boot_id(), .cluster_id = "sim",
                          .refused = joined ? "" : joined.error().context, .map = membership_->map(),
                          .lineage = lineage, .new_branch = membership_->find(from)->known.new_branch}, hello.boot_id);
    if (!joined) return;
    if (hello.catalog_version < catalog_.wire().version) cluster_.network.send(kProxy, from, catalog_.wire());
    if (!was_online || old_boot != hello.boot_id || had_new_branch) scheduler_->target_joined(from, now, cluster_.world.unix_now_ns());
}

void Proxy::receive_heartbeat(const std::string& from, const wire::Heartbeat& heartbeat) {
    const Instant now = cluster_.world.now();
    const bool was_online = membership_->is_online(from);
    if (!membership_->heartbeat(from, heartbeat, now)) {
        cluster_.network.send(kProxy, from, wire::Heartbeat{.boot_id = "nobody"}, heartbeat.boot_id);  // unknown here: this makes it say hello
        return;
    }
    if (!was_online) scheduler_->target_joined(from, now, cluster_.world.unix_now_ns());
    if (heartbeat.catalog_version < catalog_.wire().version) cluster_.network.send(kProxy, from, catalog_.wire());
}

void Proxy::carry_out() {
    for (const scheduler::Effect& effect : scheduler_->take_effects()) {
        if (effects_left_ && (*effects_left_)-- == 0) return kill();
        if (const auto* write = std::get_if<scheduler::PersistJob>(&effect)) {
            persist(write->job);
        } else if (const auto* erase = std::get_if<scheduler::EraseJob>(&effect)) {
            folder_.jobs.erase(erase->job);
            folder_.objects.erase(erase->job);
        } else {
            auto message = std::get<scheduler::SendMessage>(effect);
            if (auto* directive = std::get_if<wire::Directive>(&message.message)) directive->age = folder_.age;
            cluster_.network.send(kProxy, message.target, message.message);
        }
    }
}

void Proxy::persist(const std::string& id) {
    const scheduler::Job& job = scheduler_->find(id)->job;
    ++folder_.age;
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, job);
    folder_.jobs[id] = {buffer.data(), buffer.size()};
    cluster_.truth.pinned(job);
    cluster_.world.trace("proxy: " + id + " " + std::string(scheduler::job_state_name(job.state)) + " revision " + std::to_string(job.revision) +
                         (job.reason.empty() ? "" : ": " + job.reason));
    const bool may_check = !cluster_.settings.copies;  // a folder may have been exchanged that nobody has looked at yet
    const bool ended = may_check && (job.state == scheduler::JobState::completed || job.state == scheduler::JobState::completed_with_errors);
    if (ended && job.spec.dry_run == wire::DryRun::no) cluster_.truth.check_completed(job, cluster_.disks());
}

void Proxy::check_progress(const std::string& id, const std::string& target) {
    const scheduler::Job* job = find(id);
    if (job == nullptr || cluster_.truth.may_lack(target)) return;
    const wire::Counters& now = job->slices.at(target).status.counters;
    wire::Counters& before = seen_[{id, target}];
    if (now.done < before.done || now.done + now.skipped < before.done + before.skipped || now.settled() < before.settled()) {
        throw Broken(id + " on " + target + ": acknowledged progress went back from " + std::to_string(before.done) + " done to " +
                     std::to_string(now.done));
    }
    before = now;
}

}  // namespace millrace::sim
