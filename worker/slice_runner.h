// A slice at work: carries out what its SliceMachine decides. Surveys and checkpoints on the blocking pool, objects on the
// lanes, everything else on the control loop, where it lives.
//
// The checkpoint barrier: outputs written here are synced as a group, every other target that got outputs confirms the same,
// and only then one synced batch writes checkpoint, ledger rows and counters. Only then is the progress reported.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "state/slice_store.h"
#include "worker/object_execution.h"
#include "worker/remote_syncs.h"
#include "worker/run_queue.h"
#include "worker/selection.h"
#include "worker/slice_machine.h"
#include "worker/slice_reporter.h"

namespace millrace::worker {

// What every slice of a target works with.
struct SliceEnvironment {
    Loop& control;
    Lanes& lanes;
    BlockingPool& blocking;
    http::Client& client;  // of the control loop
    store::ObjectStore& store;
    state::SliceStore& slices;
    const SpoolFolder& spool;
    const TransformTable& transforms;
    const ClusterView& cluster;
    const TargetConfig& config;
    std::function<void(const wire::SliceStatus&)> report;
    std::shared_ptr<RemoteSyncs> syncs{};  // of all slices
};

class SliceRunner {
public:
    // Reads the checkpoint. The order was written down before.
    static Result<std::unique_ptr<SliceRunner>> make(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec);
    ~SliceRunner();  // requires stop()

    // A newer order, written down already.
    void adopt(const state::SliceOrder& order);
    const state::SliceOrder& order() const { return order_; }

    // Looks at what is to be done now; called after every event that may matter (a transform's or a target's change).
    void kick();
    // Whether it may run beside the other slices of this target.
    void admit(bool admitted);
    bool admitted() const { return admitted_; }
    bool wants_to_run() const;

    void acknowledged(const wire::StatusAck& ack) { reporter_.acknowledged(ack); }
    void report_again();
    // No object is started any more.
    void begin_stop();
    // Waits for what is in progress. What was not checkpointed runs again at the next start.
    Task<void> stop();

private:
    // How kicks reach the control loop from elsewhere. Shared with lanes' workers, which may end after the runner.
    struct Door {
        SliceRunner* owner = nullptr;  // used on the control loop only; null when the runner is gone
    };

    SliceRunner(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec, Selection selection, Progress progress);
    void make_context();
    void pump();
    void feed(Instant now);
    static void post_kick(Loop& control, const std::shared_ptr<Door>& door);
    void check_transform();
    // Code::conflict when one was given up until somebody starts it again.
    Result<void> transforms_ready() const;
    void start_objects(const std::vector<Dispatch>& chosen);
    void launch_worker(Lane& lane);
    void take_back();
    void collect();
    void land(Completion& completion, Instant now);
    Task<void> run_survey();
    Task<void> run_checkpoint(CheckpointWork work);
    Task<Result<void>> confirm_remote(const std::map<TargetId, std::string>& outputs);
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
    TaskGroup tasks_;
    Event timer_changed_;
    Instant wake_at_ = Instant::max();
    Instant timer_waits_until_ = Instant::max();
    bool timer_runs_ = false;
    bool surveying_ = false;
    bool pumping_ = false;
    bool kicked_ = false;
    bool stopping_ = false;
    bool admitted_ = false;
    bool waits_for_transform_ = false;
    bool rewind_ = false;               // a target lost outputs that were not durable yet
    Progress durable_;                  // the last checkpoint
    std::map<TargetId, std::string> remote_outputs_;  // since the last checkpoint: boot id of the process that has them
    std::uint64_t checkpoint_bytes_ = 0;
    metrics::Counter done_metric_;
    metrics::Counter failed_metric_;
    metrics::Counter moved_bytes_metric_;
    metrics::Histogram checkpoint_seconds_metric_;
};

}  // namespace millrace::worker
