#include "tests/sim/simulation.h"

#include <algorithm>

#include "core/rename.h"

namespace millrace::sim {
namespace {

using scheduler::JobState;

constexpr std::uint64_t kRestMsMax = 3'600'000;

// Nothing that a user can do makes two listed names one.
bool is_hopeless(const scheduler::Job& job) { return job.spec.has_list && job.reason.find("would both become") != std::string::npos; }

// It has ended, and a target that was accepted has not said whether it still has its part.
bool waits_for_a_loss(const scheduler::Job& job) {
    if (job.state != JobState::completed && job.state != JobState::completed_with_errors) return false;
    return std::ranges::any_of(job.slices, [](const auto& item) { return !item.second.loss.empty(); });
}

}  // namespace

Simulation::Simulation(std::uint64_t seed) : Simulation(Random(seed ^ 0x9e3779b97f4a7c15), seed) {}

Simulation::Simulation(Random random, std::uint64_t seed) : plan_(draw_plan(random)), cluster_(seed, plan_.targets, plan_.settings) {
    make_sources();
    const std::size_t jobs = random.chance(250) ? 2 : 1;
    for (std::size_t i = 0; i < jobs; ++i) make_job(i);
}

// ---- what there is at the start

std::string Simulation::new_name() {
    static const std::vector<std::string> kFolders{"", "a/", "a/b/", "music/", "z.d/"};
    static const std::vector<std::string> kEndings{".flac", ".flac", ".txt", "", ".tar.gz"};
    Random& random = world().random();
    names_.push_back(random.pick(kFolders) + "clip" + std::to_string(names_.size()) + random.pick(kEndings));
    const std::string& name = names_.back();
    Behaviour& behaviour = cluster_.truth.behaviour(name);
    if (random.chance(plan_.rejected_permille)) {
        behaviour.nature = Nature::rejected;
    } else if (random.chance(plan_.killer_permille)) {
        behaviour.nature = Nature::killer;
    } else if (random.chance(plan_.never_fits_permille)) {
        behaviour.nature = Nature::never_fits;
    } else if (random.chance(plan_.transient_permille)) {
        behaviour = {Nature::transient, static_cast<std::uint32_t>(random.between(1, 6))};
    }
    return name;
}

void Simulation::make_sources() {
    for (std::size_t i = 0; i < plan_.objects; ++i) {
        const std::string name = new_name();
        cluster_.put_source(name);
        if (name.ends_with(".flac") && world().random().chance(plan_.colliding_permille)) {
            names_.push_back(name.substr(0, name.size() - 4) + "opus");
            cluster_.put_source(names_.back());
        }
    }
}

void Simulation::make_job(std::size_t number) {
    Random& random = world().random();
    PlannedJob planned;
    planned.key = planned.request.json = "request-" + std::to_string(number + 1);
    wire::JobSpec& spec = planned.request.spec;
    spec.operation = random.chance(150) ? wire::Operation::copy : random.chance(120) ? wire::Operation::remove : wire::Operation::transform;
    if (spec.operation == wire::Operation::transform) spec.transform = "transform";
    if (plan_.settings.copies && spec.operation == wire::Operation::remove) spec.operation = wire::Operation::copy;
    spec.source = "source";
    if (spec.operation != wire::Operation::remove) spec.destination = "destination-" + std::to_string(number + 1);
    if (random.chance(200)) {
        spec.has_list = true;
        for (const std::string& name : names_) {
            if (random.chance(500)) planned.request.objects.push_back(name);
        }
        planned.request.objects.push_back("missing/object.flac");
        std::ranges::sort(planned.request.objects);
    } else if (random.chance(200)) {
        spec.prefix = "a/";
    }
    const bool has_results = spec.operation != wire::Operation::remove;
    if (has_results && random.chance(500)) spec.ext = {{"flac", "opus"}, {"txt", "md"}};
    if (has_results && random.chance(400)) spec.prepend = random.chance(500) ? "out/" : "x-";
    if (plan_.settings.copies) spec.prepend.clear();  // outputs of others that a copy lacks are told, but not made again
    spec.num_workers = plan_.settings.workers;
    spec.attempts = static_cast<std::uint32_t>(random.between(1, 4));
    if (random.chance(50) && !plan_.settings.copies) spec.dry_run = wire::DryRun::plan;
    if (random.chance(150)) {
        spec.on_error = random.chance(500) ? wire::OnError::abort_after_count : wire::OnError::abort_after_percent;
        spec.on_error_limit = random.between(0, 10);
    }
    planned.wanted = random.chance(850);
    jobs_.push_back(std::move(planned));
}

// ---- faults and users

// A cluster without faults, until it has what jobs need.
void Simulation::set_up() {
    world().act([this] {
        cluster_.proxy.start();
        for (const auto& target : cluster_.targets()) target->start();
    });
    for (int tries = 0; cluster_.proxy.members_online() < cluster_.targets().size(); ++tries) {
        if (tries == 1000) throw Broken("the targets do not join");
        run_for(100);
    }
    world().act([this] {
        create_bucket("source");
        if (!plan_.buckets_by_jobs) create_bucket("destination-1");
        if (!plan_.buckets_by_jobs) create_bucket("destination-2");
        cluster_.proxy.replace_transform("transform");
    });
    for (int tries = 0; cluster_.proxy.is_changing(); ++tries) {
        if (tries == 1000) throw Broken("buckets and transform do not come to be");
        run_for(100);
    }
    run_for(1000);
}

void Simulation::create_bucket(const std::string& name) {
    cluster_.proxy.act("create " + name, [name](scheduler::ProxyCore& core) { return core.catalog().create_bucket(name, 0); });
}

// Under its key a request stays one job, however often it is sent.
void Simulation::submit_all() {
    for (PlannedJob& planned : jobs_) {
        if (!planned.id.empty()) continue;
        cluster_.proxy.submit(planned.request, planned.key, [this, &planned](const Result<std::string>& job) {
            if (!job) planned.why_not = job.error().context;
            if (!job || !planned.id.empty()) return;
            planned.id = *job;
            world().trace("user: submitted " + planned.id);
        });
    }
    if (!all_submitted()) world().after(milliseconds(500), [this] { submit_all(); });
}

bool Simulation::all_submitted() const {
    return std::ranges::none_of(jobs_, [](const PlannedJob& planned) { return planned.id.empty(); });
}

void Simulation::next_fault() {
    world().after(world().random().between_ms(1, plan_.fault_gap_ms_max), [this] {
        if (!faulty_) return;
        fault();
        next_fault();
    });
}

void Simulation::next_change() {
    world().after(world().random().between_ms(1, plan_.change_gap_ms_max), [this] {
        if (!faulty_) return;
        Random& random = world().random();
        switch (random.below(4)) {
            case 0: cluster_.put_source(new_name()); break;
            case 1: cluster_.remove_source(random.pick(names_)); break;
            default: cluster_.put_source(random.pick(names_)); break;
        }
        next_change();
    });
}

void Simulation::next_command() {
    world().after(world().random().between_ms(100, 6000), [this] {
        if (!faulty_) return;
        Random& random = world().random();
        if (plan_.replacements && random.chance(300)) change_what_a_job_is_about();
        const std::string& job = random.pick(jobs_).id;
        const std::int64_t now = world().unix_now_ns();
        static const std::vector<std::string> kNames{"pause", "resume", "retry", "cancel"};
        const std::uint64_t which = random.below(10);
        const std::string& name = which < 3 ? kNames[0] : which < 7 ? kNames[1] : which < 9 ? kNames[2] : kNames[3];
        const bool with_current = random.chance(300);
        const bool again = name == "resume" || name == "retry";
        const scheduler::Again how = name == "retry" ? scheduler::Again::retry : scheduler::Again::resume;
        const scheduler::Scheduler::Command stop = [name, now](scheduler::Job& live) {
            return name == "pause" ? scheduler::pause(live) : scheduler::cancel(live, now);
        };
        cluster_.proxy.act(name + " " + job, [=](scheduler::ProxyCore& core) {
            return again ? core.jobs().start_again(job, how, with_current) : core.jobs().command(job, stop);
        });
        next_command();
    });
}

// Nothing of it is possible while a job that has not ended uses it.
void Simulation::change_what_a_job_is_about() {
    Random& random = world().random();
    const std::string bucket = "destination-" + std::to_string(random.between(1, 2));
    const std::string renamed = "renamed-" + std::to_string(++renamings_);
    switch (random.below(4)) {
        case 0: cluster_.proxy.replace_transform("transform"); return;
        case 1:
            cluster_.proxy.act("rename " + bucket, [=](scheduler::ProxyCore& core) { return core.catalog().rename_bucket(bucket, renamed); });
            break;
        default: cluster_.proxy.act("destroy " + bucket, [=](scheduler::ProxyCore& core) { return core.catalog().destroy_bucket(bucket); }); break;
    }
    if (random.chance(700)) create_bucket(bucket);
}

void Simulation::kill_somebody() {
    Random& random = world().random();
    const bool with_power = random.chance(500);
    const std::uint64_t effects = random.below(40);
    if (random.chance(300)) {
        random.chance(500) ? cluster_.proxy.kill_after(effects, with_power) : cluster_.proxy.kill(with_power);
        return;
    }
    Target& target = *random.pick(cluster_.targets()).get();
    switch (random.below(5)) {
        case 0: target.shut_down(); break;
        case 1:
        case 2: target.kill_after(effects, with_power); break;
        default: target.kill(with_power); break;
    }
    cluster_.check_slices();
}

void Simulation::supervise() {
    world().after(world().random().between_ms(10, 1000), [this] {
        if (cluster_.proxy.must_restart()) cluster_.proxy.kill();
        if (world().random().chance(300)) cluster_.proxy.start();
        for (const auto& target : cluster_.targets()) {
            if (target->must_restart()) target->kill(false);
            if (world().random().chance(300)) target->start();
        }
        supervise();
    });
}

// A folder in the place of the one that there was, or a copy of it for later.
void Simulation::restore_somebody() {
    Random& random = world().random();
    Target& target = *random.pick(cluster_.targets()).get();
    switch (random.below(5)) {
        case 0: return target.take_snapshot();
        case 1: return all_submitted() ? cluster_.proxy.take_snapshot() : void();
        case 2: cluster_.proxy.kill(); return cluster_.proxy.restore();
        default: target.kill(false); return target.restore(random.chance(300));
    }
}

// An operator who looks at the cluster now and then.
void Simulation::next_look() {
    world().after(world().random().between_ms(500, 5000), [this] {
        cluster_.proxy.accept_what_is_refused();
        next_look();
    });
}

void Simulation::change_weather() {
    Random& random = world().random();
    if (random.chance(500)) {
        cluster_.network.weather = random.chance(500) ? plan_.weather : Weather{};
        return;
    }
    const std::string id = random.pick(cluster_.target_ids()).str();
    world().trace(id + " is cut off");
    cluster_.network.cut_off.insert(id);
    world().after(random.between_ms(10, 9000), [this, id] {
        world().trace(id + " is connected");
        cluster_.network.cut_off.erase(id);
    });
}

void Simulation::fault() {
    Random& random = world().random();
    if (plan_.settings.copies && random.chance(300)) return restore_somebody();
    Target& target = *random.pick(cluster_.targets()).get();
    switch (random.below(8)) {
        case 0:
        case 1: return kill_somebody();
        case 2: return change_weather();
        case 3:
            world().trace("the disk of " + target.id() + " is full");
            ++times_full_;
            target.disk.faults.full = true;
            return world().after(random.between_ms(10, 4000), [this, &target] {
                world().trace("the disk of " + target.id() + " has room");
                target.disk.faults.full = false;
            });
        case 4:
            target.enable_transform(false);
            return world().after(random.between_ms(10, 4000), [&target] { target.enable_transform(true); });
        case 5:
            world().trace("the disk of the proxy is full");
            cluster_.proxy.faults.full = true;
            return world().after(random.between_ms(10, 4000), [this] {
                world().trace("the disk of the proxy has room");
                cluster_.proxy.faults.full = false;
            });
        case 6: return world().jump(std::chrono::seconds(random.between(0, 200'000)) - std::chrono::seconds(100'000));
        default: return target.crash_instance();
    }
}

void Simulation::calm_down() {
    world().trace("calm");
    faulty_ = false;
    cluster_.network.weather = {};
    cluster_.network.cut_off.clear();
    cluster_.proxy.faults = {};
    cluster_.proxy.kill();
    cluster_.proxy.start();
    for (const auto& target : cluster_.targets()) {
        target->disk.faults = {};
        target->enable_transform(true);
        target->keep_alive();
        if (target->must_restart()) target->kill(false);
        target->start();
    }
}

// ---- the run

void Simulation::run() {
    set_up();
    cluster_.network.weather = plan_.weather;
    cluster_.proxy.faults.write_fails_permille = plan_.settings.write_fails_permille;
    for (const auto& target : cluster_.targets()) {
        target->disk.faults.write_fails_permille = plan_.settings.write_fails_permille;
        target->disk.faults.bucket_fails_permille = plan_.settings.bucket_fails_permille;
    }
    world().act([this] { submit_all(); });
    next_fault();
    supervise();
    if (plan_.settings.copies) {
        next_look();
    } else {
        next_change();
    }
    if (plan_.commands) next_command();
    run_for(plan_.faults_ms);
    world().act([this] { calm_down(); });
    run_to_rest("after the faults");
    retry_all();
    remove_all();
}

void Simulation::run_for(std::uint64_t ms) {
    const Instant end = world().now() + milliseconds(ms);
    bool ended = false;
    world().after(end - world().now(), [&ended] { ended = true; });
    while (!ended && cluster_.step()) {
    }
    cluster_.check_slices();
}

void Simulation::run_to_rest(const std::string& what) {
    for (std::uint64_t ms = 0; ms < kRestMsMax; ms += 500) {
        run_for(500);
        if (std::ranges::all_of(jobs_, [this](const PlannedJob& planned) { return at_rest(planned); })) {
            for (const PlannedJob& planned : jobs_) check_classes(planned);
            return;
        }
        world().act([this] {
            for (const PlannedJob& planned : jobs_) nudge(planned);
        });
    }
    std::string states;
    for (const PlannedJob& planned : jobs_) {
        if (planned.id.empty()) states += " " + planned.key + " is not accepted: " + planned.why_not;
        const scheduler::Job* job = cluster_.proxy.find(planned.id);
        if (job == nullptr) continue;
        states += " " + job->id + " " + std::string(scheduler::job_state_name(job->state)) + " revision " + std::to_string(job->revision);
        for (const auto& [target, slice] : job->slices) {
            states += "; " + target + " state " + std::to_string(static_cast<int>(slice.status.state)) + " revision " +
                      std::to_string(slice.status.revision) + " settled " + std::to_string(slice.status.counters.settled()) + " of " +
                      std::to_string(slice.status.total_objects) + " " + slice.status.reason;
        }
    }
    throw Broken(what + " the jobs do not come to rest:" + states + "; " + cluster_.proxy.catalog_versions());
}

bool Simulation::at_rest(const PlannedJob& planned) {
    const scheduler::Job* job = cluster_.proxy.find(planned.id);
    if (job == nullptr || cluster_.proxy.is_changing()) return false;
    if (plan_.settings.copies && (cluster_.proxy.has_problems() || waits_for_a_loss(*job))) return false;
    if (job->state == JobState::completed || job->state == JobState::completed_with_errors) return true;
    const bool may_stay_failed = job->state == JobState::failed && (!mended_ || is_hopeless(*job));
    if (planned.wanted && !may_stay_failed) return false;
    if (job->state == JobState::preparing || job->state == JobState::running) return false;
    return std::ranges::all_of(job->slices, [&](const auto& item) {
        const wire::SliceState state = item.second.status.state;
        const bool quiet = state == wire::SliceState::paused || state == wire::SliceState::stopped || state == wire::SliceState::finished ||
                           state == wire::SliceState::failed;
        return item.second.status.revision == job->revision && quiet;
    });
}

// A user who wants a job to end submits it with all it needs, and resumes it where that is of use.
void Simulation::nudge(const PlannedJob& planned) {
    if (planned.id.empty()) return have_transform();
    const scheduler::Job* job = cluster_.proxy.find(planned.id);
    if (job == nullptr || !planned.wanted || cluster_.proxy.is_changing()) return;
    if (job->state == JobState::paused || job->state == JobState::cancelled) return start_again(job->id, scheduler::Again::resume);
    if (job->state != JobState::failed || !mended_ || is_hopeless(*job)) return;
    if (job->reason.find("would both become") != std::string::npos) {
        for (const std::string& name : names_) {
            if (name.ends_with(".opus")) cluster_.remove_source(name);
        }
    } else if (job->reason.find("objects failed") == std::string::npos && !plan_.settings.copies) {
        throw Broken(job->id + " failed for no good reason: " + job->reason);
    }
    start_again(job->id, scheduler::Again::resume);
}

// A proxy may have died between the removal of one program and the next.
void Simulation::have_transform() {
    if (!cluster_.proxy.has_transform("transform")) cluster_.proxy.replace_transform("transform");
}

void Simulation::start_again(const std::string& job, scheduler::Again how) {
    const std::string destination = cluster_.proxy.find(job)->spec.destination;
    if (!destination.empty() && !cluster_.proxy.has_bucket(destination)) create_bucket(destination);
    have_transform();
    const std::string what = how == scheduler::Again::resume ? "resume " : "retry ";
    cluster_.proxy.act(what + job, [id = job, how](scheduler::ProxyCore& core) -> Task<Result<void>> {
        const std::string asked = id;
        const scheduler::Again again = how;
        if (co_await core.jobs().start_again(asked, again, false)) co_return Result<void>{};
        co_return co_await core.jobs().start_again(asked, again, true);
    });
}

// Every object of a job that completed is in the class that its behaviour leads to.
void Simulation::check_classes(const PlannedJob& planned) {
    const scheduler::Job* job = cluster_.proxy.find(planned.id);
    if (plan_.settings.copies && !job->reason.empty()) return;  // it says what a copy lacked
    if (job->spec.dry_run != wire::DryRun::no || (job->state != JobState::completed && job->state != JobState::completed_with_errors)) return;
    if (plan_.settings.copies && !scheduler::totals(*job).total_known) return;
    cluster_.truth.check_completed(*job, cluster_.disks());
    for (const std::string& name : names_) {
        const Target& target = cluster_.target(cluster_.placement().owner(name)->str());
        if (!job->slices.at(target.id()).heard || cluster_.truth.may_lack(target.id())) continue;  // its folder was exchanged after the job
        const SliceDisk& slice = target.disk.slices.at(job->id);
        const auto source = target.disk.sources.find(name);
        const bool selected = source != target.disk.sources.end() && source->second.created_seq < slice.created_seq_end &&
                              name.starts_with(slice.spec.prefix) && !slice.spec.has_list;
        if (!selected) continue;
        const Nature nature = cluster_.truth.behaviour(name).nature;
        const auto row = slice.ledger.find(name);
        const bool failed = row != slice.ledger.end() && !row->second.quarantined;
        const bool quarantined = row != slice.ledger.end() && row->second.quarantined;
        const std::string where = job->id + " " + name;
        // A disk that is full again and again, just when it is this object's turn, looks like an object that never fits.
        const bool is_unlucky = failed && times_full_ > 1 && row->second.error.code == Code::no_space;
        if (job->spec.operation != wire::Operation::transform) {
            if (row != slice.ledger.end() && nature != Nature::transient && !is_unlucky) throw Broken(where + " failed: " + row->second.error.context);
            continue;
        }
        if (nature == Nature::fine && (failed || quarantined) && !is_unlucky) throw Broken(where + " failed: " + row->second.error.context);
        if (nature == Nature::rejected && !failed) throw Broken(where + " was rejected, but did not fail");
        if (nature == Nature::never_fits && !failed) throw Broken(where + " fits nowhere, but did not fail");
        if (nature == Nature::killer && !quarantined) throw Broken(where + " kills its transform, but was not quarantined");
    }
}

// The user mends what was rejected and retries: what failed for that reason must be done now.
void Simulation::retry_all() {
    cluster_.truth.mend_rejected();
    mended_ = true;
    world().act([this] {
        for (PlannedJob& planned : jobs_) {
            planned.wanted = true;
            start_again(planned.id, scheduler::Again::retry);
        }
    });
    run_to_rest("after a retry");
}

void Simulation::remove_all() {
    world().act([this] {
        for (const PlannedJob& planned : jobs_) {
            cluster_.proxy.act("remove " + planned.id, [this, id = planned.id](scheduler::ProxyCore& core) -> Task<Result<void>> {
                const std::string asked = id;
                World& in = world();
                const Result<void> removed = co_await core.jobs().remove(asked);
                if (!removed) in.broke(asked + " cannot be removed: " + removed.error().context);
                co_return removed;
            });
        }
    });
    // Told once they are online, after commits that may be late.
    const auto remembers = [](const auto& target) { return !target->disk.slices.empty(); };
    for (std::uint64_t ms = 0; ms < kRestMsMax && std::ranges::any_of(cluster_.targets(), remembers); ms += 500) run_for(500);
    for (const auto& target : cluster_.targets()) {
        if (remembers(target)) throw Broken(target->id() + " still remembers a job that was removed");
    }
}

}  // namespace millrace::sim
