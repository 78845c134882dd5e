// Whether a disk has room for what a database writes. It counts as full while there is still some space on it (state/kv.h).
#pragma once
#include <atomic>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace millrace::state {

Error no_space(const std::string& action, const std::string& folder);

// Any thread.
class DiskRoom {
public:
    explicit DiskRoom(std::string folder) : folder_(std::move(folder)) {}

    // Code::no_space, Code::permission for a read-only disk. uses_reserve: for a batch that gives space back.
    Result<void> check(const std::string& action, bool uses_reserve) const;
    // The same for a write. Where there was plenty of room a moment ago, there is enough: asking is one more system call.
    Result<void> check_for_write(bool uses_reserve);

private:
    Result<std::uint64_t> beyond_reserve(const std::string& action, bool uses_reserve) const;

    const std::string folder_;
    std::atomic<Instant::rep> plenty_until_ = Instant::min().time_since_epoch().count();
};

}  // namespace millrace::state
