// Which outputs of a job are still welcome. What a slice changes carries a fence (epoch and incarnation); a target remembers the
// greatest it has seen from each slice, and what was stopped, and refuses older ones.
//
// A refusal is final: when stop(), forget() or an admit() of a newer run has returned, nothing of an older run becomes visible any
// more, not even what had been let in before. So every change of a job is made under its Pass (store::ChangeGuard). Any thread.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/ids.h"
#include "state/slice_store.h"
#include "store/object_store.h"

namespace millrace::worker {

// One number that rises with the epoch, and within an epoch with the incarnation of the slice.
std::uint64_t make_fence(std::uint64_t epoch, std::uint64_t incarnation);

class Fences {
    // The newest fence of one slice of a job, or of all of them.
    using Line = std::atomic<std::uint64_t>;

public:
    explicit Fences(state::SliceStore& store) : store_(store) {}

    // What one run of a slice makes its changes with. Outlived by the Fences. Any thread.
    class Pass final : public store::ChangeGuard {
    public:
        std::mutex& lock() const override { return fences_->change_lock(); }
        // Code::stale_epoch when the run is over.
        Result<void> check() const override;

    private:
        friend class Fences;
        Pass(Fences& fences, JobId job, std::uint64_t fence) : fences_(&fences), job_(std::move(job)), fence_(fence) {}

        Fences* fences_;
        JobId job_;
        std::uint64_t fence_;
        std::shared_ptr<const Line> floor_;
        std::shared_ptr<const Line> newest_;
    };

    // For a run on another target. Code::stale_epoch when something newer was seen. Remembers the fence, across restarts too.
    Result<Pass> admit(const JobId& job, const TargetId& slice, std::uint64_t fence);
    // For a run on this target, which does not outlive this process. Refuses at use only: a stopped slice has a run, too.
    Result<Pass> begin(const JobId& job, const TargetId& slice, std::uint64_t fence);
    // From now on nothing of the job up to this epoch is welcome, from any slice. On an error it still is.
    Result<void> stop(const JobId& job, std::uint64_t epoch);
    // The job is removed: nothing of it is welcome any more. SliceStore::forget() has written that down.
    void forgotten(const JobId& job);

private:
    // These require the mutex.
    Result<std::shared_ptr<Line>> load(const JobId& job, const TargetId& slice);
    Result<Pass> make_pass(const JobId& job, const TargetId& slice, std::uint64_t fence, std::shared_ptr<Line>& newest);
    void raise(Line& line, std::uint64_t fence);

    std::mutex& change_lock();

    state::SliceStore& store_;
    std::mutex mutex_;
    std::map<std::pair<JobId, TargetId>, std::shared_ptr<Line>> lines_;  // guarded by mutex_; those in use, and some that were
    std::array<std::mutex, 64> changing_;  // held by changes, each thread its own: whoever raises a line waits for all once
};

}  // namespace millrace::worker
