// The life of a slice, decided: what to survey, feed, dispatch, retry, settle and write down, and when.
//
//   preparing → ready → running ⇄ stalled → finished        any → paused | stopped | failed, and back by an order
//
// Phases: main (the selection, in name order), then, when a retry was asked for, retry (the ledger rows of earlier passes).
// Two scans walk the selection: the survey counts it (and looks for name collisions), the feed follows behind the survey and
// fills the window. What is counted but never fed has been deleted meanwhile, and is skipped.
//
// Pure: no I/O, no threads, no clock of its own; it is handed `now` and results, and says what to do next. Lives on the
// slice's loop only.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/clock.h"
#include "core/slice_counters.h"
#include "wire/messages.h"
#include "worker/concurrency_control.h"
#include "worker/failure_policy.h"
#include "worker/sink_trials.h"

namespace millrace::worker {

using wire::Desired;
using wire::SliceState;
enum class Phase : int { main = 0, retry = 1, finished = 2 };

struct Survey {
    std::string after;  // counted up to this name
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t unmapped = 0;  // of the objects: names that no entry of the map of extensions fits
    bool done = false;
};

// What a checkpoint makes durable; a slice restored from one goes on exactly there.
struct Progress {
    Phase phase = Phase::main;
    std::uint64_t phase_pass = 1;    // pass of the retry phase that runs
    std::uint64_t retried_pass = 1;  // the last pass whose retry phase ended
    std::string watermark;           // every name of the phase up to this one is settled
    std::vector<std::string> settled_ahead;
    SliceCounters counters;
    Survey survey;
    std::string failure;             // why the slice gave up; empty: it did not
};

struct FailedObject {
    bool quarantined = false;
    Error error;
    std::string stderr_tail;
    std::uint32_t attempts = 0;
    std::uint64_t pass = 1;
};
// By object name; without a value, the object is failed no more.
using FailureChanges = std::map<std::string, std::optional<FailedObject>>;

struct CheckpointWork {
    Progress progress;
    FailureChanges changes;
};

struct FeedRequest {
    Phase phase = Phase::main;
    std::string after;             // exclusive
    std::string up_to;             // main: names beyond are not counted yet; empty: no bound
    std::uint64_t pass_below = 0;  // retry: ledger rows of earlier passes only
    std::size_t names_max = 0;
};

struct FedObject {
    std::string name;
    bool was_quarantined = false;  // retry: the class of its ledger row
    bool never_fitted = false;     // retry: its sink had no room for it alone, when it failed
};

struct Dispatch {
    std::uint64_t ticket = 0;
    std::string name;
    bool isolated = false;
};

enum class Settled { done, skipped };

struct SliceOptions {
    std::uint32_t window_objects_max = 1024;
    std::uint32_t checkpoint_objects_max = 4096;
    Duration checkpoint_interval = milliseconds(1000);
    std::uint32_t attempts_max = 3;
    bool listed = false;             // the job names its objects
    bool survey_before_run = false;  // names may collide: nothing runs before the survey is done
    bool survey_durable_before_run = false;  // what runs takes objects away, which a survey after a restart would not find any more
    bool plan_only = false;          // dry run that stops when the survey is done
    bool counts_near_empty = false;
    bool shares_server = false;      // objects that run at once can hold each other up
    std::optional<std::uint64_t> failures_max;  // more make the slice give up
    std::uint32_t workers_min = 1, workers_start = 1, workers_max = 1;
    std::uint32_t run_ahead_max = 0;  // objects dispatched beyond workers(), as many again at most: what runs next
};

class SliceMachine {
public:
    // begun: when; the first checkpoint of what goes on is due an interval later.
    SliceMachine(SliceOptions options, Progress progress, Instant begun = {});

    // Commands of the scheduler. fresh: a new order, not one repeated after a restart; it clears a failure.
    void order(Desired desired, std::uint64_t pass, bool fresh);
    // Whether the transform can take objects now; the reason says why not.
    void transform_ready(bool ready, const std::string& reason);
    // The slice gives up (a collision, an unreadable index). Everything settled stays.
    void give_up(const std::string& reason);

    // The survey: one page at a time, from survey().after. The page has what was counted in it, to which name, and whether that was all.
    bool wants_survey() const;
    void surveyed(const Survey& page);

    // The feed: the names that the window has room for; one request at a time.
    std::optional<FeedRequest> next_feed(Instant now) const;
    // Whether the answer to a request is still of use: not when the slice was rewound meanwhile, or goes on elsewhere.
    bool awaits(const FeedRequest& request) const;
    // Requires awaits(). Names in order, after the request's; every name up to scanned_to was looked at. at_end: up_to, or the end, was reached.
    void fed(const FeedRequest& request, std::vector<FedObject> objects, const std::string& scanned_to, bool at_end);
    // Asked for again after a stall.
    void feed_failed(const Error& error, Instant now);

    // Whether objects may be started now: it should run, and nothing holds it up.
    bool may_start(Instant now) const { return wants_to_run() && now >= stalled_until_; }
    // It tries one object now and then, or waits for a checkpoint to succeed.
    bool met_obstacle() const { return stalls_ > 0 || !checkpoint_failure_.empty(); }
    // Nothing is started any more, whatever was ordered.
    bool gave_up() const { return !progress_.failure.empty(); }
    // Objects to run, at most as many as there is room for: workers() at once, the others as these end.
    std::vector<Dispatch> dispatch(Instant now);
    // Exactly one of these for every dispatched ticket.
    // sink: the target that took the result, empty for this one, in this life of it.
    void settle(std::uint64_t ticket, Settled how, std::uint64_t bytes_in, std::uint64_t bytes_out, std::uint64_t bytes_moved, Instant now,
                const std::string& sink = "", const std::string& life = "");
    void attempt_failed(std::uint64_t ticket, const Failure& failure, Instant now);
    void not_started(std::uint64_t ticket);  // dispatch() gives it out again before any other

    // The checkpoint: one at a time.
    bool checkpoint_due(Instant now) const;
    CheckpointWork begin_checkpoint();
    // Requires begin_checkpoint. Without durable the changes are kept for the next one, and the slice stalls for the reason until
    // a checkpoint succeeds, so that what must run again after a restart stays bounded.
    void end_checkpoint(bool durable, const std::string& reason, Instant now);
    // Back to the last durable progress: everything after it runs again. Requires that nothing is in flight.
    void rewind(Progress durable);

    SliceState state() const;
    // Why it is preparing, stalled or failed; empty otherwise.
    std::string reason() const;
    // As of the last durable checkpoint.
    const SliceCounters& acknowledged() const { return acknowledged_; }
    const Survey& survey() const { return progress_.survey; }
    std::size_t in_flight() const { return in_flight_; }
    // Of attempts that began before the newest order, or before this process.
    std::uint64_t failures_forgiven() const { return failures_forgiven_; }
    bool checkpointing() const { return in_checkpoint_.has_value(); }
    std::size_t window_size() const { return window_.size(); }
    std::uint32_t workers() const { return control_.limit(); }
    // When something is due without an event: a retry, the end of a stall, a checkpoint. After dispatch() and a checkpoint that
    // was due, never in the past.
    Instant next_wakeup() const;

private:
    enum class Place { waiting, backoff, running, settled };
    struct Entry {
        std::string name;
        Place place = Place::waiting;
        bool was_quarantined = false;
        bool never_fitted = false;
        bool isolated = false;
        bool on_trial = false;    // by a sink: runs while nothing else does
        std::uint32_t attempts = 0;
        std::uint64_t order = 0;  // the order under which it runs
        std::uint64_t pass = 1;   // and the pass: a failure that lands after a retry was asked for is one that it retries
    };

    bool needs_survey() const;
    bool wants_to_run() const;
    // Of the window.
    std::size_t room() const;
    // The rows that a retry is about to read are not all written yet.
    bool ledger_is_behind() const;
    std::uint64_t failures() const { return progress_.counters.failed + progress_.counters.quarantined; }
    std::size_t regular_in_flight() const { return in_flight_ - (suspect_in_flight_ ? 1 : 0); }
    Entry& landed(std::uint64_t ticket);
    void count_settled(Entry& object, std::uint64_t SliceCounters::*counter);
    void settle_failed(Entry& object, const Failure& failure, bool quarantined);
    void wait_again(std::uint64_t ticket, Entry& object);
    void wait_at_sink(std::uint64_t ticket, Entry& object);
    std::uint32_t sink_failures(std::uint64_t ticket, const Failure& failure);
    // Nothing runs, and nothing can but what is on trial.
    bool only_trials_left() const;
    std::deque<std::uint64_t>::iterator due_trial();
    void stall(const std::string& reason, Instant now);
    void advance();
    // Ends the process when what is kept here contradicts itself.
    void check() const;
    void enter_phase(Phase phase);
    void load(Progress progress);

    const SliceOptions options_;
    ConcurrencyControl control_;
    Desired desired_ = Desired::prepare;
    std::uint64_t pass_ = 1;
    std::uint64_t orders_ = 0;                  // fresh ones
    std::uint64_t failures_forgiven_ = 0;       // those before the last fresh order or restart do not count towards the limit
    bool transform_ready_ = false;
    std::string transform_reason_ = "waiting for the transform";

    // Volatile progress; its settled_ahead stays empty, since ahead_ and the window hold those names.
    Progress progress_;
    std::deque<Entry> window_;                  // in name order; front() is not settled, or it is empty
    std::uint64_t front_ticket_ = 0;
    std::unordered_set<std::string> ahead_;     // settled before a restart, above the watermark, not fed again yet
    std::deque<std::uint64_t> waiting_;
    std::deque<std::uint64_t> suspects_;        // to be run alone
    std::multimap<Instant, std::uint64_t> backoff_;
    std::deque<std::uint64_t> on_trial_;        // by their sinks
    SinkTrials sink_trials_;
    bool trial_in_flight_ = false;
    std::size_t in_flight_ = 0;
    bool suspect_in_flight_ = false;
    std::uint32_t timeouts_alone_ = 0;          // in a row: of suspects that timed out once more, alone
    std::string fed_to_;
    bool phase_fed_ = false;                    // the phase has no more names

    std::uint32_t stalls_ = 0;                  // in a row
    std::string stall_reason_;
    Instant stalled_until_{};

    // What is durable, and what waits to be.
    bool dirty_ = false;
    bool failure_cleared_ = false;              // by an order: soon to be durable, or a restart would bring it back
    std::uint64_t settled_since_checkpoint_ = 0;
    Instant last_checkpoint_;                   // or when it began
    std::uint32_t checkpoint_failures_ = 0;     // in a row
    std::string checkpoint_failure_;            // of the last; empty: it succeeded
    Instant checkpoint_not_before_{};
    FailureChanges changes_;
    std::optional<CheckpointWork> in_checkpoint_;
    SliceCounters acknowledged_;
    bool surveyed_durably_ = false;
    bool finished_durably_ = false;
    bool failed_durably_ = false;
};

}  // namespace millrace::worker
