// A slice at work: carries out what its SliceMachine decides. Surveys and checkpoints on the blocking pool, objects on the
// lanes, everything else on the control loop, where it lives. Its buckets may take their time (bucket_io.h): what they answer is looked at in
// the light of what has been ordered meanwhile.
//
// The checkpoint barrier: every other target that got outputs confirms that they are durable, files written here are synced as a group,
// and only then one synced batch writes checkpoint, ledger rows and counters. Only then is the progress reported.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/config.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "state/slice_store.h"
#include "worker/fences.h"
#include "worker/lane_workers.h"
#include "worker/object_execution.h"
#include "worker/output_barrier.h"
#include "worker/places.h"
#include "worker/remote_syncs.h"
#include "worker/run_queue.h"
#include "worker/selection.h"
#include "worker/slice_machine.h"
#include "worker/slice_reporter.h"
#include "worker/transforms.h"

namespace millrace::worker {

class SliceRunner;

// What every slice of a target works with.
struct SliceEnvironment {
    Loop& control;
    Lanes& lanes;
    BlockingPool& blocking;
    store::ObjectStore& store;  // is made durable by checkpoints
    Buckets& buckets;
    state::SliceStore& slices;
    Fences& fences;
    const ObjectRunner& objects;
    const Transforms& transforms;
    const ClusterView& cluster;
    const TargetConfig& config;
    RemoteSyncs::Call sync_target;
    std::function<void(const wire::SliceStatus&)> report{};
    std::function<void(SliceRunner&)> place_changes{};  // one is wanted, or not any more
    std::shared_ptr<RemoteSyncs> syncs{};   // of all slices
};

class SliceRunner {
public:
    // Reads the checkpoint. The order was written down before.
    static Result<std::unique_ptr<SliceRunner>> make(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec);
    ~SliceRunner();  // requires stop()

    // A newer order, written down already. What runs ends, unless it goes on as it was.
    Result<void> adopt(const state::SliceOrder& order);
    // A job that started again: looks whether what it had settled is still there, and reports it.
    void look_back();
    const state::SliceOrder& order() const { return order_; }

    // Looks at what is to be done now; called after every event that may matter (a transform's or a target's change).
    void kick();
    // Whether it may run beside the other slices of this target.
    void admit(bool admitted);
    bool admitted() const { return admitted_; }
    bool wants_to_run() const;
    // Smaller is earlier. Does not change.
    using Arrival = std::tuple<std::uint64_t, std::uint64_t, std::string>;
    Arrival arrival() const { return {order_.arrival, order_.created_seq_end, order_.job}; }
    // Met an obstacle, or has no transform now; see worker/places.h.
    bool is_stalled() const { return waits_for_transform_ || machine_.met_obstacle(); }

    void acknowledged(const wire::StatusAck& ack) { reporter_.acknowledged(ack); }
    void report_again();
    // No object is started any more, and what runs is cancelled.
    void begin_stop();
    // Waits until that has ended, which takes moments. What was not checkpointed runs again at the next start.
    Task<void> stop();

private:
    // How kicks reach the control loop from elsewhere. Shared with lanes' workers, which may end after the runner.
    struct Door {
        SliceRunner* owner = nullptr;  // used on the control loop only; null when the runner is gone
    };

    SliceRunner(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec, Selection selection, Progress progress);
    Result<std::shared_ptr<SliceContext>> make_context(const state::SliceOrder& order) const;
    void end_attempts();
    void look_at_place();
    void pump();
    static void post_kick(Loop& control, const std::shared_ptr<Door>& door);
    void check_transform();
    // Code::unavailable while one of them that the job pins is not here.
    Result<void> buckets_ready() const;
    // Code::conflict when one was given up until somebody starts it again.
    Result<void> transforms_ready() const;
    void start_objects(const std::vector<Dispatch>& chosen);
    void take_back();
    void collect();
    void land(Completion& completion, Instant now);
    Task<void> run_survey();
    Task<void> run_feed();
    Task<void> run_checkpoint(CheckpointWork work);
    Task<void> run_lookback(std::string settled_to);
    Task<Result<void>> confirm_remote(const OutputBarrier::ByTarget& outputs);
    void report();
    void arm_timer();
    Task<void> run_timer();
    wire::SliceStatus status() const;

    SliceEnvironment environment_;
    state::SliceOrder order_;
    const wire::JobSpec spec_;
    const Selection selection_;
    SliceMachine machine_;
    SliceReporter reporter_;
    std::shared_ptr<const SliceContext> context_;
    std::shared_ptr<RunQueue> queue_;
    std::shared_ptr<Door> door_ = std::make_shared<Door>();
    std::shared_ptr<LaneWorkers> workers_;
    TaskGroup tasks_;
    Event timer_changed_;
    Instant wake_at_ = Instant::max();
    Instant timer_waits_until_ = Instant::max();
    bool timer_runs_ = false;
    bool surveying_ = false;
    bool feeding_ = false;
    bool pumping_ = false;
    bool kicked_ = false;
    bool stopping_ = false;
    bool admitted_ = false;
    bool waits_for_transform_ = false;
    PlaceClaim told_;                   // at the last place_changes
    Progress durable_;                  // the last checkpoint
    OutputBarrier barrier_;             // of outputs on other targets, since the last checkpoint
    std::uint64_t checkpoint_bytes_ = 0;
    std::uint64_t outputs_lost_ = 0;
    metrics::Counter done_metric_;
    metrics::Counter failed_metric_;
    metrics::Counter moved_bytes_metric_;
    metrics::Histogram checkpoint_seconds_metric_;
};

}  // namespace millrace::worker
