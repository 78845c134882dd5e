#include "core/short_waits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace millrace {
namespace {

// The kernel's struct sched_attr; its header and the C library's do not go together.
struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns, deadline_ns, period_ns;
};

std::uint64_t slice_ns() {
    Attributes attributes{};
    return ::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0 ? attributes.runtime_ns : 0;
}

TEST(ShortWaits, AreAskedForThisThreadAlone) {
    const std::uint64_t usual = slice_ns();
    if (usual == 0) GTEST_SKIP() << "this kernel has no slices to ask for";
    std::thread([&] {
        ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 3), 0);
        prefer_short_waits();
        EXPECT_EQ(slice_ns(), 100'000u);
        EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 3) << "its share of the processor stays";
        const pid_t child = ::fork();
        if (child == 0) ::_exit(slice_ns() == usual ? 0 : 1);
        int status = -1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << "a process that the thread started has the usual slice";
    }).join();
    EXPECT_EQ(slice_ns(), usual);
}

}  // namespace
}  // namespace millrace
