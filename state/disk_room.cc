#include "state/disk_room.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

namespace millrace::state {
namespace {

// Kept free for the log, for flushes, and for batches that give space back.
constexpr std::uint64_t kReserveBytesMax = 32ull << 20;
constexpr std::uint64_t kReserveDiskFraction = 16;
constexpr std::uint64_t kLastReserveFraction = 4;
// More than any disk takes while the answer is believed.
constexpr std::uint64_t kPlentyBytes = 2ull << 30;
constexpr auto kBelievedFor = milliseconds(100);

}  // namespace

Error no_space(const std::string& action, const std::string& folder) {
    return fail(Code::no_space, action + " in " + folder + ": no space left on its disk; free some, then writes go on by themselves");
}

Result<std::uint64_t> DiskRoom::beyond_reserve(const std::string& action, bool uses_reserve) const {
    struct statvfs disk {};
    if (::statvfs(folder_.c_str(), &disk) != 0) return errno_error("ask for the free space of " + folder_, errno);
    if ((disk.f_flag & ST_RDONLY) != 0) {
        return fail(Code::permission, action + " in " + folder_ + ": its file system is read-only; see what the kernel's log says of its disk");
    }
    std::uint64_t reserve = std::min<std::uint64_t>(kReserveBytesMax, disk.f_blocks * disk.f_frsize / kReserveDiskFraction);
    if (uses_reserve) reserve /= kLastReserveFraction;
    const std::uint64_t free = disk.f_bavail * disk.f_frsize;
    if (free < reserve) return no_space(action, folder_);
    return free - reserve;
}

Result<void> DiskRoom::check(const std::string& action, bool uses_reserve) const {
    MILLRACE_TRY(beyond_reserve(action, uses_reserve));
    return {};
}

Result<void> DiskRoom::check_for_write(bool uses_reserve) {
    const Instant now = steady_now();
    if (now.time_since_epoch().count() < plenty_until_.load(std::memory_order_relaxed)) return {};
    MILLRACE_TRY_ASSIGN(const std::uint64_t room, beyond_reserve("write", uses_reserve));
    if (room >= kPlentyBytes) plenty_until_.store((now + kBelievedFor).time_since_epoch().count(), std::memory_order_relaxed);
    return {};
}

}  // namespace millrace::state
