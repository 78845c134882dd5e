#include "worker/run_queue.h"

#include "core/check.h"

namespace millrace::worker {
namespace {
constexpr auto kTellEvery = milliseconds(2);
}  // namespace

RunQueue::RunQueue(std::size_t lanes, std::size_t first_lane) : first_lane_(first_lane % lanes), workers_(lanes) {}

void RunQueue::add(const std::vector<Dispatch>& chosen, const std::shared_ptr<const SliceContext>& context) {
    const std::lock_guard lock(mutex_);
    for (const Dispatch& dispatch : chosen) {
        if (dispatch.isolated) {
            waiting_.push_front({dispatch, context});
        } else {
            waiting_.push_back({dispatch, context});
        }
    }
}

std::size_t RunQueue::share(std::size_t lane) const {
    const std::size_t lanes = workers_.size();
    const std::size_t place = (lane + lanes - first_lane_) % lanes;
    return running_max_ / lanes + (place < running_max_ % lanes ? 1 : 0);
}

std::vector<std::size_t> RunQueue::hire(std::size_t running_max) {
    const std::lock_guard lock(mutex_);
    running_max_ = running_max;
    std::vector<std::size_t> hired;
    for (bool more = true; more;) {  // one per lane and round, so that few objects are spread too
        more = false;
        for (std::size_t place = 0; place < workers_.size(); ++place) {
            const std::size_t lane = (first_lane_ + place) % workers_.size();
            if (hired.size() >= waiting_.size() || workers_[lane] >= share(lane)) continue;
            ++workers_[lane];
            hired.push_back(lane);
            more = true;
        }
    }
    return hired;
}

std::vector<std::uint64_t> RunQueue::take_back() {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> tickets;
    for (const QueuedObject& object : waiting_) tickets.push_back(object.dispatch.ticket);
    waiting_.clear();
    return tickets;
}

std::vector<Completion> RunQueue::collect() {
    const std::lock_guard lock(mutex_);
    told_ = false;
    return std::exchange(completions_, {});
}

std::size_t RunQueue::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

std::optional<QueuedObject> RunQueue::next(std::size_t lane) {
    const std::lock_guard lock(mutex_);
    MILLRACE_CHECK(workers_[lane] > 0);
    if (waiting_.empty() || workers_[lane] > share(lane)) {
        --workers_[lane];
        return std::nullopt;
    }
    QueuedObject object = std::move(waiting_.front());
    waiting_.pop_front();
    return object;
}

bool RunQueue::completed(Completion completion) {
    const Instant now = steady_now();
    const std::lock_guard lock(mutex_);
    completions_.push_back(std::move(completion));
    const bool is_due = 2 * waiting_.size() <= running_max_ || now - last_told_ >= kTellEvery;
    if (told_ || !is_due) return false;
    told_ = true;
    last_told_ = now;
    return true;
}

}  // namespace millrace::worker
