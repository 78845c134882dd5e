// The states of a job, and what moves it from one to the next.
//
//   preparing → running ⇄ paused → completed | completed_with_errors | failed | cancelled
//
// resume: from paused, failed, cancelled. retry: from completed_with_errors, failed, cancelled, paused; the ledger rows run
// again. Every change of what slices should do raises the revision, so that an older directive or status is known as such.
//
// Pure: functions on a Job; true, or success, means that the job changed and must be written down before anyone is told.
#pragma once
#include <functional>
#include <string>

#include "core/result.h"
#include "scheduler/job.h"

namespace millrace::scheduler {

using IsOnline = std::function<bool(const std::string& target)>;

Result<void> pause(Job& job);
Result<void> resume(Job& job);
Result<void> retry(Job& job, std::int64_t now_unix_ns);
Result<void> cancel(Job& job, std::int64_t now_unix_ns);
// Requires a job that has not ended: it fails, for this reason.
void give_up(Job& job, std::string reason, std::int64_t now_unix_ns);

// What a status said: nothing new (older and foreign ones are ignored), how far its slice is, or that the job may move on. With a thousand
// slices, to look at all of them for every status would be most of a proxy's work. Whether a target went away is not looked at here: the next advance() does.
enum class News { none, progress, decisive };
News absorb(Job& job, const std::string& target, const wire::SliceStatus& status);
// The target was accepted although its folder is an older copy or an empty one: what its slice said is forgotten, and it goes on from
// what the target's own checkpoint says, under a new epoch. A job that was completed waits for what it says (settle_loss).
void lose_slice(Job& job, const std::string& target, const std::string& why);
// Of a job that has ended, after news of the slice: whether the loss was one. If so the job is failed, with a reason that says what to do.
// has_order: the target knows the job.
bool settle_loss(Job& job, const std::string& target, bool has_order, std::int64_t now_unix_ns);
// The proxy runs from an older copy of its folder and was accepted: numbers go beyond all that targets can have seen of this job. lives: in
// how many lives of the proxy since the copy was made, this one included; each began so far beyond the one before.
void overtake(Job& job, std::uint64_t lives);
// A target acts on a directive that this proxy does not know: the copy that it runs from was made just before. What the job is to do is told
// once more, under numbers beyond that one's. False when there is no such directive.
bool overtake_unknown(Job& job, std::uint64_t revision_heard);
// What the job is to do is told once more, under a number that no target has heard of.
void direct_anew(Job& job);
// Not a start anew: the target has removed the job since the copy that the proxy runs from.
bool fail_removed(Job& job, const std::string& target, std::int64_t now_unix_ns);
// Moves the job on when its slices allow it. Looks at all of them.
bool advance(Job& job, const IsOnline& is_online, std::int64_t now_unix_ns);

}  // namespace millrace::scheduler
