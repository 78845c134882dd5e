// The objects of a slice between the control loop, which chooses them, and the lanes, which run them. A lane takes its next object
// by itself and leaves results behind, so neither side waits for the other while there is work, and many results cost one wake-up.
//
// Members say who may call them. Shared: a lane's worker may end after the slice's runner.
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "worker/object_execution.h"
#include "worker/slice_machine.h"

namespace millrace::worker {

struct QueuedObject {
    Dispatch dispatch;
    std::shared_ptr<const SliceContext> context;
};

struct Completion {
    std::uint64_t ticket = 0;
    std::expected<ExecutionResult, Failure> result;
    bool interrupted = false;  // failed under a context that is over: nothing is known of the object
    std::shared_ptr<const SliceContext> context{};  // under which it ran
};

class RunQueue {
public:
    // first_lane spreads slices that run few objects at once.
    RunQueue(std::size_t lanes, std::size_t first_lane);

    // Control loop: more objects, suspects first.
    void add(const std::vector<Dispatch>& chosen, const std::shared_ptr<const SliceContext>& context);
    // Control loop: a lane for each worker that is to be started, so that `running_max` objects run at once. A worker calls next() until
    // that is nullopt.
    std::vector<std::size_t> hire(std::size_t running_max);
    // Control loop: what no worker has taken yet, in order.
    std::vector<std::uint64_t> take_back();
    // Control loop: what has ended since the last call.
    std::vector<Completion> collect();
    std::size_t waiting() const;

    // Workers: the next object; nullopt ends the worker.
    std::optional<QueuedObject> next(std::size_t lane);
    // Workers: true when the control loop must be told to collect(). It need not be while the lanes have enough to do.
    bool completed(Completion completion);

private:
    std::size_t share(std::size_t lane) const;  // of running_max_

    const std::size_t first_lane_;
    mutable std::mutex mutex_;  // guards everything below
    std::deque<QueuedObject> waiting_;
    std::vector<Completion> completions_;
    std::vector<std::size_t> workers_;  // per lane
    std::size_t running_max_ = 0;
    bool told_ = false;                 // and not collected since
    Instant last_told_{};
};

}  // namespace millrace::worker
