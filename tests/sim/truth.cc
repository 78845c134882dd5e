#include "tests/sim/truth.h"

#include <algorithm>

#include "core/placement.h"
#include "core/rename.h"
#include "tests/sim/world.h"

namespace millrace::sim {
namespace {

using worker::Phase;
using worker::Progress;

void require(bool holds, const std::string& where, const std::string& what) {
    if (!holds) throw Broken(where + ": " + what);
}

}  // namespace

bool is_settled(const Progress& progress, const std::string& name) {
    return progress.phase != Phase::main || name <= progress.watermark || std::ranges::binary_search(progress.settled_ahead, name);
}

std::string transformed(const std::string& name, std::uint64_t version) { return name + "@" + std::to_string(version); }

void Truth::mend_rejected() {
    for (auto& [name, behaviour] : behaviours_) {
        if (behaviour.nature == Nature::rejected) behaviour.nature = Nature::fine;
    }
}

void Truth::selected(const std::string& job, const std::string& target, std::map<std::string, std::uint64_t> versions) {
    require(selections_.emplace(std::pair(job, target), std::move(versions)).second, job + " " + target, "selected twice");
}

void Truth::kept(const std::string& target, const Disk& disk) {
    std::erase_if(selections_, [&](const auto& item) { return item.first.second == target; });
    for (const auto& [job, slice] : disk.slices) selections_[{job, target}] = slice.selection;
    // What became visible there since the folder was copied is not there.
    for (auto& [key, newest] : seen_) {
        const auto& [job, slice, where] = key;
        if (where == target) newest = std::min(newest, disk.fence(job, slice));
    }
    restored_.insert(target);
    forget_stops();
}

void Truth::proxy_forgot() {
    proxy_forgot_ = true;
    forget_stops();
}

void Truth::forget_stops() {
    if (proxy_forgot_) std::erase_if(stopped_, [this](const auto& item) { return restored_.contains(item.first.second); });
}

void Truth::forgotten(const std::string& job, const std::string& target) {
    selections_.erase({job, target});
    removals_.erase({job, target});
}

void Truth::removed(const std::string& name) {
    for (const auto& [slice, names] : selections_) {
        if (names.contains(name)) removed_[slice.first].insert(name);
    }
}

void Truth::done(const std::string& job, const std::string& name, const DoneAs& as) {
    DoneAs& known = done_[job][name];
    known.version = known.bucket_uid == as.bucket_uid ? std::max(known.version, as.version) : as.version;
    known.bucket_uid = as.bucket_uid;
}

void Truth::pinned(const scheduler::Job& job) { pins_[job.id] = job.pins; }

void Truth::check_put(const PutRequest& put) const {
    const std::string where = put.job + " " + put.name + " epoch " + std::to_string(put.output.epoch);
    const wire::Pins* pins = nullptr;
    for (const scheduler::PinnedEpoch& pinned : pins_.at(put.job)) {
        if (pinned.epoch <= put.output.epoch) pins = &pinned.pins;
    }
    require(pins != nullptr, where, "nothing is pinned");
    require(pins->destination_uid == put.bucket_uid, where, "its output is in " + put.bucket_uid + ", the job pinned " + pins->destination_uid);
    const std::uint64_t digest = pins->transforms.empty() ? 0 : pins->transforms.front().digest;
    require(digest == put.output.digest, where, "another transform made it than the job pinned");
}

void Truth::stopped(const std::string& job, const std::string& target, std::uint64_t fence) {
    std::uint64_t& floor = stopped_[{job, target}];
    floor = std::max(floor, fence);
}

void Truth::made_visible(const std::string& job, const std::string& slice, const std::string& target, std::uint64_t fence, std::uint64_t current) {
    const std::string where = job + " of " + slice + " on " + target;
    std::uint64_t& newest = seen_[{job, slice, target}];
    require(fence >= stopped_[{job, target}], where, "something became visible after its stop was acknowledged");
    require(fence >= newest, where, "something of an older run became visible after a newer one's");
    require(fence >= current, where, "something of an order that is over became visible");
    newest = fence;
}

bool Truth::may_run(const SliceDisk& slice, const std::string& name) {
    if (!slice.checkpoint || !is_settled(*slice.checkpoint, name)) return true;
    const auto row = slice.ledger.find(name);
    return row != slice.ledger.end() && row->second.pass < slice.pass;
}

// Worked out once: it never changes, and this is asked all the time.
const std::string& Truth::owner(const std::string& name, const Disks& disks) const {
    std::string& known = owners_[name];
    if (!known.empty()) return known;
    std::vector<TargetId> targets;
    for (const auto& [id, disk] : disks) targets.emplace_back(id);
    return known = Placement(0, std::move(targets)).owner(name)->str();
}

bool Truth::was_removed(const std::string& job, const std::string& name) const {
    const auto of_job = removed_.find(job);
    return of_job != removed_.end() && of_job->second.contains(name);
}

// Of all that is checked this is asked most, by far: words are made only for what does not hold.
void Truth::check_output(const std::string& job, const std::string& name, const std::string& destination, const Disks& disks) const {
    const auto broken = [&](const std::string& what) { return Broken(job + " " + name + ": " + what); };
    const auto of_job = done_.find(job);
    if (of_job == done_.end() || !of_job->second.contains(name)) throw broken("is settled as if done, but never was");
    const DoneAs& done = of_job->second.at(name);
    if (destroyed_.contains(done.bucket_uid)) return;
    const Disk& disk = *disks.at(owner(destination, disks));
    const auto found = disk.outputs.find({done.bucket_uid, destination});
    if (found == disk.outputs.end() || !found->second.durable) throw broken("is done, but its output is not durable");
    for (const auto& output : {&*found->second.durable, &*found->second.newest}) {
        if (output->job != job) throw broken("its output is that of " + output->job);
        if (output->content != transformed(name, output->version)) throw broken("its output is " + output->content);
        if (output->version < done.version) throw broken("an older version replaced its output: " + output->content);
    }
}

// Nothing of that name, or a new object.
void Truth::check_removed(const std::string& job, const std::string& name, const SliceDisk& slice, const Disk& disk) {
    const auto source = disk.sources.find(name);
    const bool is_gone = source == disk.sources.end() || source->second.created_seq >= slice.created_seq_end;
    require(is_gone, job + " " + name, "is settled as if removed, but is there");
}

void Truth::check_ledger(const std::string& where, const SliceDisk& slice) const {
    const Progress& progress = *slice.checkpoint;
    std::uint64_t failed = 0;
    std::uint64_t quarantined = 0;
    for (const auto& [name, row] : slice.ledger) {
        ++(row.quarantined ? quarantined : failed);
        require(is_settled(progress, name), where, name + " is in the ledger but not settled");
        const bool due = progress.phase == Phase::retry && row.pass < progress.phase_pass;
        const bool passed = name <= progress.watermark || std::ranges::binary_search(progress.settled_ahead, name);
        require(!due || !passed, where, name + " was passed over by the retry");
        require(progress.phase != Phase::finished || row.pass >= progress.retried_pass, where, name + " was not retried");
    }
    require(failed == progress.counters.failed, where, std::to_string(failed) + " rows of failed objects, counter " +
            std::to_string(progress.counters.failed));
    require(quarantined == progress.counters.quarantined, where, std::to_string(quarantined) + " rows of quarantined objects, counter " +
            std::to_string(progress.counters.quarantined));
}

// settled_well: settled and not in the ledger; gone: of these, those whose source was removed.
void Truth::check_totals(const std::string& where, const SliceDisk& slice, std::uint64_t settled_well, std::uint64_t gone,
                         std::uint64_t selected) const {
    const Progress& progress = *slice.checkpoint;
    const SliceCounters& counters = progress.counters;
    const std::string sums = " (done " + std::to_string(counters.done) + ", skipped " + std::to_string(counters.skipped) + ", settled " +
                             std::to_string(counters.settled()) + ", counted " + std::to_string(progress.survey.objects) + ", selected " +
                             std::to_string(selected) + ", well " + std::to_string(settled_well) + ", gone " + std::to_string(gone) + ")";
    require(counters.settled() <= progress.survey.objects, where, "more settled than counted" + sums);
    require(progress.survey.objects <= selected, where, "more counted than selected" + sums);
    require(counters.done + counters.skipped <= settled_well, where, "an object was counted twice" + sums);
    require(counters.done + gone >= settled_well, where, "an object was passed over" + sums);
    if (progress.phase == Phase::finished || progress.phase == Phase::retry) {
        require(progress.survey.done, where, "finished before everything was counted" + sums);
        require(counters.settled() == progress.survey.objects, where, "totals do not add up" + sums);
    }
}

void Truth::check_slice(const std::string& job, const std::string& target, const Disks& disks, std::size_t window_objects_max) const {
    const SliceDisk& slice = disks.at(target)->slices.at(job);
    const std::string where = job + " on " + target;
    const auto removals = removals_.find({job, target});
    const std::uint64_t counted = slice.checkpoint ? slice.checkpoint->survey.objects : 0;
    require(removals == removals_.end() || removals->second.size() <= counted, where, "what it removed is not in its totals");
    if (!slice.checkpoint) return;
    const Progress& progress = *slice.checkpoint;
    // A removed object is never fed again after a restart, so its name waits beside the window until the watermark passes.
    const auto holds_a_place = [&](const std::string& name) { return !was_removed(job, name); };
    const auto places = static_cast<std::size_t>(std::ranges::count_if(progress.settled_ahead, holds_a_place));
    require(places <= window_objects_max, where, "more settled ahead than the window holds");
    require(std::ranges::is_sorted(progress.settled_ahead), where, "settled_ahead is not sorted");
    require(progress.settled_ahead.empty() || progress.settled_ahead.front() > progress.watermark, where, "settled_ahead is not ahead");
    check_ledger(where, slice);
    std::uint64_t settled_well = 0;
    std::uint64_t gone = 0;
    const auto& selection = selections_.at({job, target});
    const RenameRule renamed = slice.spec.rename();
    for (const auto& [name, version] : selection) {
        if (!is_settled(progress, name) || slice.ledger.contains(name)) continue;
        ++settled_well;
        if (slice.spec.operation == wire::Operation::remove) {
            check_removed(job, name, slice, *disks.at(target));
            ++gone;
        } else if (was_removed(job, name)) {
            ++gone;
        } else {
            check_output(job, name, renamed.apply(name), disks);
        }
    }
    check_totals(where, slice, settled_well, gone, selection.size());
}

void Truth::check_completed(const scheduler::Job& job, const Disks& disks) const {
    const scheduler::JobTotals sum = scheduler::totals(job);
    const std::string where = job.id + " " + std::string(scheduler::job_state_name(job.state));
    const bool lacks_a_slice = std::ranges::any_of(job.slices, [](const auto& item) { return !item.second.heard; });
    if (lacks_a_slice || proxy_forgot_) return;  // its folder was exchanged after the job, or it is told as it was then
    require(sum.total_known, where, "without knowing its totals");
    require(sum.counters.settled() == sum.total_objects, where, "settled " + std::to_string(sum.counters.settled()) + " of " +
            std::to_string(sum.total_objects));
    std::uint64_t rows = 0;
    for (const auto& [target, slice] : job.slices) {
        const SliceDisk& disk = disks.at(target)->slices.at(job.id);
        // An older copy of a folder may have all that the job needs of it, in the midst of a retry that brought nothing.
        const bool has_ended = disk.checkpoint.has_value() && (disk.checkpoint->phase == Phase::finished || restored_.contains(target));
        require(has_ended, where, "the slice of " + target + " is not finished");
        const SliceCounters& counters = disk.checkpoint->counters;
        require(counters.done == slice.status.counters.done && counters.settled() == slice.status.counters.settled(), where,
                "what is known of " + target + " is not what its checkpoint says");
        require(disk.checkpoint->survey.objects == slice.status.total_objects, where, "the total of " + target + " is wrong");
        require(disk.pass >= job.pass, where, target + " does not know of the last retry");
        rows += disk.ledger.size();
    }
    require(rows == sum.counters.failed + sum.counters.quarantined, where, "ledgers and counters differ");
    require((job.state == scheduler::JobState::completed) == (rows == 0), where, "with " + std::to_string(rows) + " failures");
}

}  // namespace millrace::sim
