#include "core/short_waits.h"

#include <linux/sched.h>
#define sched_param kernel_sched_param  // the C library has one of its own, which any other header may bring in
#include <linux/sched/types.h>
#undef sched_param
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace millrace {

// sched(7) and the kernel's scheduler/sched-eevdf.rst: of the tasks that are owed time, the one with the shortest slice comes first.
void prefer_short_waits() {
    constexpr std::uint64_t kSliceNs = 100'000;  // the least that the kernel takes
    sched_attr attributes{};
    if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
    const bool has_slices = attributes.sched_policy == SCHED_NORMAL && attributes.sched_runtime != 0;
    if (!has_slices) return;
    attributes.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
    attributes.sched_runtime = kSliceNs;
    (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace millrace
