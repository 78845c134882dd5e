#include "state/store_watch.h"

#include "core/log.h"

namespace millrace::state {

std::string StoreWatch::saw(const std::optional<KvObstacle>& obstacle) {
    const std::string reason = obstacle ? obstacle->reason : "";
    if (reason.empty() != last_.empty()) {
        if (!reason.empty()) log::error("nothing can be written down", {{"reason", reason}, {"for_good", obstacle->for_good}});
        else log::info("things can be written down again");
    }
    last_ = reason;
    if (obstacle && obstacle->for_good) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = reason;
    }
    return reason;
}

std::optional<std::string> StoreWatch::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

}  // namespace millrace::state
