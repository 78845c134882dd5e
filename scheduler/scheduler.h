// The scheduler: desired state out, slice status in. It writes a job down, then keeps telling every target what its slice
// should be doing until the target has acknowledged it. Lost, doubled and reordered messages, and restarts of either side,
// all heal by that one path.
//
// Pure: no I/O, no clock. What it wants done comes out as effects, in the order in which they must be carried out: what is
// to be written down comes before the message that tells of it. Lives on the proxy's control loop only.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "scheduler/job.h"
#include "scheduler/job_machine.h"
#include "scheduler/listed_objects.h"
#include "scheduler/progress_rate.h"
#include "wire/codec.h"

namespace millrace::scheduler {

struct PersistJob {
    std::string job;
};
struct EraseJob {
    std::string job;
};
struct SendMessage {
    std::string target;
    wire::Message message;
};
using Effect = std::variant<PersistJob, EraseJob, SendMessage>;

// A job and what is known of it beyond what is written down.
struct LiveJob {
    Job job;
    ListedObjects objects;                              // of a list selection
    std::uint64_t told_revision = 0;                    // the newest that targets are being told of
    std::map<std::string, Instant> untold;              // targets that have not acknowledged it: when it was last sent to each
    std::map<std::string, std::uint64_t> questions;    // targets that seem to have lost the job: the revision that was made to ask them
    std::map<std::string, std::uint32_t> needs_spec;    // targets that do not have the specification yet: the part that comes next
    std::map<std::string, ProgressRate> rates;
    std::uint64_t changes = 0;                          // counts visible changes, for watchers
};

class Scheduler {
public:
    explicit Scheduler(IsOnline is_online) : is_online_(std::move(is_online)) {}

    // At start: jobs as they were written down.
    void restore(Job job, ListedObjects objects);

    // What a user asks for is written down first, by the caller, and taken in afterwards: then it is told.
    // A new job. Requires a spec that is valid and at least one slice.
    void submit(Job job, ListedObjects objects, Instant now);
    using Command = std::function<Result<void>(Job&)>;
    // The job as pause, resume, retry or cancel would leave it. Code::not_found for an unknown job.
    Result<Job> commanded(const std::string& id, const Command& change, Instant now, std::int64_t now_unix_ns) const;
    void take(Job commanded, Instant now);
    // Code::conflict while it has not ended.
    Result<void> check_removable(const std::string& id) const;
    // Forgets a job that has ended, here and on the targets.
    void remove(const std::string& id);

    // Gives up each job that has not ended and does not pass, for the error's reason.
    void check_unfinished(const std::function<Result<void>(const Job&)>& check, Instant now, std::int64_t now_unix_ns);

    void receive(const std::string& target, const wire::SliceStatus& status, Instant now, std::int64_t now_unix_ns);
    void receive(const std::string& target, const wire::DirectiveAck& ack, Instant now, std::int64_t now_unix_ns);
    // A copy of its folder was accepted (job_machine.h: lose_slice).
    void target_accepted(const std::string& target, const std::string& why, Instant now);
    // This proxy was accepted although its folder is an older copy.
    void overtake(std::uint64_t lives, Instant now);
    // Forgets jobs that ended longer ago than retention, in time that the proxy ran, and the oldest of more than ended_max. 0 for retention: none
    // for their age.
    void expire(Instant now, milliseconds retention, std::size_t ended_max);
    // How long the proxy has run before `now`, over all its starts: what is kept for a time is kept by this clock, which nobody sets.
    void set_uptime(milliseconds uptime, Instant now) { uptime_ = uptime, uptime_at_ = now; }
    milliseconds uptime(Instant now) const { return uptime_ + std::chrono::duration_cast<milliseconds>(now - uptime_at_); }
    // A target came (back): it is told everything again.
    void target_joined(const std::string& target, Instant now, std::int64_t now_unix_ns);
    // Repeats what was not acknowledged, the news that a job was removed included.
    void tick(Instant now, std::int64_t now_unix_ns);

    std::vector<Effect> take_effects() { return std::exchange(effects_, {}); }

    const LiveJob* find(const std::string& id) const;
    const std::map<std::string, LiveJob>& jobs() const { return jobs_; }
    // Whether an online target has not written the job down yet, and so not what was there at the submit.
    bool is_being_accepted(const std::string& id) const;
    std::optional<std::string> job_of_key(const std::string& idempotency_key) const;
    // A job that is not terminal and uses the transform, or reads or writes the bucket.
    std::optional<std::string> user_of_transform(const std::string& transform) const;
    std::optional<std::string> user_of_bucket(const std::string& bucket) const;

private:
    void tell(LiveJob& live, const std::string& target, Instant now);
    void tell_all(LiveJob& live, Instant now);
    static void start_telling(LiveJob& live);
    void forget(const std::string& job, const std::string& target, std::uint64_t revision);
    // It is to be written down, and shown.
    void changed(LiveJob& live, Instant now);
    void show(LiveJob& live, Instant now);
    void stamp_end(Job& job, Instant now) const;
    void take_needs_spec(LiveJob& live, const std::string& target, const wire::DirectiveAck& ack, Instant now, std::int64_t now_unix_ns);
    static void add_spec(wire::Directive& directive, const LiveJob& live, const std::string& target, std::uint32_t part);
    std::optional<std::string> unfinished(const std::function<bool(const wire::JobSpec&)>& uses) const;

    IsOnline is_online_;
    milliseconds uptime_{0};
    Instant uptime_at_{};
    std::map<std::string, LiveJob> jobs_;
    std::map<std::string, std::string> keys_;  // idempotency key → job
    std::vector<Effect> effects_;
    struct Forget {
        std::uint64_t revision = 0;
        Instant sent{};
    };
    std::map<std::pair<std::string, std::string>, Forget> forgets_;  // by job and target, until acknowledged; bounded
};

}  // namespace millrace::scheduler
