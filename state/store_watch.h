// What a node makes of an obstacle to its database's writes: it is logged once, said by /health while it lasts, and one that lasts for good
// is a reason to end the process, so that whoever watches over it can start it again.
#pragma once
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "state/kv.h"

namespace millrace::state {

class StoreWatch {
public:
    static constexpr auto kPause = milliseconds(500);  // between two looks

    // The reason for /health, "" for none.
    std::string saw(const std::optional<KvObstacle>& obstacle);
    // Any thread.
    std::optional<std::string> failure() const;

private:
    std::string last_;
    mutable std::mutex mutex_;
    std::optional<std::string> failure_;  // guarded by mutex_
};

}  // namespace millrace::state
