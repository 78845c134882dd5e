// What the simulation knows and the system does not: how each object behaves in the transform, what was selected, what
// users did to the sources. The invariants are checked against it.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "scheduler/job.h"
#include "tests/sim/disk.h"
#include "tests/sim/put_request.h"
#include "tests/sim/random.h"

namespace millrace::sim {

// never_fits: its result is too large for any sink.
enum class Nature { fine, rejected, transient, killer, never_fits };

struct Behaviour {
    Nature nature = Nature::fine;
    std::uint32_t transient_failures_left = 0;
};

// An object is done: from this version, in the bucket with this uid.
struct DoneAs {
    std::uint64_t version = 0;
    std::string bucket_uid;
};

using Disks = std::map<std::string, const Disk*>;  // by target

// What the transform makes of a version of an object.
std::string transformed(const std::string& name, std::uint64_t version);

// Of an object of the selection, as a checkpoint has it.
bool is_settled(const worker::Progress& progress, const std::string& name);

class Truth {
public:
    Behaviour& behaviour(const std::string& name) { return behaviours_[name]; }
    // Whoever was rejected would be accepted now; who kills still does.
    void mend_rejected();

    // A slice was heard of for the first time: these are its objects, with their versions.
    void selected(const std::string& job, const std::string& target, std::map<std::string, std::uint64_t> versions);
    void forgotten(const std::string& job, const std::string& target);
    // The target has this folder from now on: what is not there was not selected there.
    void kept(const std::string& target, const Disk& disk);
    // The proxy has an older copy of its own. Stops that no folder knows of any more were not acknowledged.
    void proxy_forgot();
    // Both the proxy and the target go on from copies of which nobody could know.
    bool may_lack(const std::string& target) const { return proxy_forgot_ && restored_.contains(target); }
    void removed(const std::string& name);
    void removed_by(const std::string& job, const std::string& target, const std::string& name) { removals_[{job, target}].insert(name); }
    // A checkpoint says that the object is done.
    void done(const std::string& job, const std::string& name, const DoneAs& as);
    // What the job is about by now.
    void pinned(const scheduler::Job& job);
    void destroyed(const std::string& bucket_uid) { destroyed_.insert(bucket_uid); }
    // An output came to be: it must be in the bucket, and from the transform, that its job pinned. Throws Broken.
    void check_put(const PutRequest& put) const;

    // A target has acknowledged a stop, or a removal, of the job: nothing below this fence may become visible there any more.
    void stopped(const std::string& job, const std::string& target, std::uint64_t fence);
    // An output became visible on a target, or a source went. current: the fence of the newest order, where the slice is of that target.
    void made_visible(const std::string& job, const std::string& slice, const std::string& target, std::uint64_t fence, std::uint64_t current);

    // What must hold of a slice at any time. Throws Broken.
    void check_slice(const std::string& job, const std::string& target, const Disks& disks, std::size_t window_objects_max) const;
    // What must hold of a job that ended as completed, with or without errors. Throws Broken.
    void check_completed(const scheduler::Job& job, const Disks& disks) const;
    // Objects that a slice may run again although its checkpoint has them settled: only those of its ledger.
    static bool may_run(const SliceDisk& slice, const std::string& name);

private:
    void forget_stops();

    const std::string& owner(const std::string& name, const Disks& disks) const;
    void check_output(const std::string& job, const std::string& name, const std::string& destination, const Disks& disks) const;
    bool was_removed(const std::string& job, const std::string& name) const;
    static void check_removed(const std::string& job, const std::string& name, const SliceDisk& slice, const Disk& disk);
    void check_ledger(const std::string& where, const SliceDisk& slice) const;
    void check_totals(const std::string& where, const SliceDisk& slice, std::uint64_t settled_well, std::uint64_t gone,
                      std::uint64_t selected) const;

    mutable std::unordered_map<std::string, std::string> owners_;  // by name
    std::map<std::string, Behaviour> behaviours_;
    std::map<std::pair<std::string, std::string>, std::map<std::string, std::uint64_t>> selections_;  // by job and target
    std::map<std::string, std::unordered_set<std::string>> removed_;                                 // since they were selected, by job
    std::map<std::pair<std::string, std::string>, std::set<std::string>> removals_;  // of each job that removes, by job and target
    std::map<std::string, std::unordered_map<std::string, DoneAs>> done_;                            // by job, then by name
    std::map<std::string, std::vector<scheduler::PinnedEpoch>> pins_;  // by job
    std::set<std::string> destroyed_;                                  // uids of buckets
    std::map<std::pair<std::string, std::string>, std::uint64_t> stopped_;             // by job and target
    std::set<std::string> restored_;                                                   // targets
    bool proxy_forgot_ = false;
    std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> seen_;  // newest, by job, slice and target
};

}  // namespace millrace::sim
