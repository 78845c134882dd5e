// Users that exist for sandboxed runs alone: numbers above those that systems give out, and each in one place at a time.
//
// Which part of the range a target has follows from the identity of its run folder, so that targets on one machine differ.
#pragma once
#include <sys/types.h>

#include <bitset>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace millrace::runtime {

class UserRange {
public:
    static constexpr std::size_t kUsers = 4096;

    explicit UserRange(std::uint64_t place) : first_(kFirst + static_cast<uid_t>(place % kPlaces * kUsers)) {}

    // nullopt: all are taken. One that became free is given out again as late as possible: something of it may still run. Any thread.
    std::optional<uid_t> take() {
        const std::lock_guard lock(mutex_);
        for (std::size_t tries = 0; tries < kUsers; ++tries) {
            const std::size_t number = next_++ % kUsers;
            if (taken_.test(number)) continue;
            taken_.set(number);
            return first_ + static_cast<uid_t>(number);
        }
        return std::nullopt;
    }
    void give_back(uid_t user) {
        const std::lock_guard lock(mutex_);
        taken_.reset(user - first_);
    }
    uid_t first() const { return first_; }

private:
    // Behind what systemd-nspawn gives to containers, and below the half that many programs take for negative.
    static constexpr uid_t kFirst = 0x70000000;
    static constexpr std::uint64_t kPlaces = 0x10000;

    const uid_t first_;
    std::mutex mutex_;
    std::bitset<kUsers> taken_;  // guarded by mutex_
    std::size_t next_ = 0;       // guarded by mutex_
};

}  // namespace millrace::runtime
