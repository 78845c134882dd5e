// Threads in which sandboxed children are born.
#include "runtime/confined_threads.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <latch>
#include <set>
#include <thread>

#include "core/descriptor.h"
#include "runtime/system_calls.h"

namespace millrace::runtime {
namespace {

// -1 and errno, or the descriptor, of a call that the sandbox refuses to all.
int refused_call() { return ::socket(AF_PACKET, SOCK_DGRAM, 0); }
int seccomp_mode() { return ::prctl(PR_GET_SECCOMP); }

class Confined : public ::testing::Test {
protected:
    void SetUp() override {
        auto code = refuse_calls({.sockets = Sockets::local, .truncate = false});
        ASSERT_TRUE(code.has_value());
        code_ = std::move(*code);
        program_ = {static_cast<unsigned short>(code_.size()), code_.data()};
        shared_.calls = &program_;
    }

    std::vector<sock_filter> code_;
    sock_fprog program_{};
    MillraceSandbox shared_{};
};

TEST_F(Confined, ActionsRunInTheSandboxAndTheCallerDoesNot) {
    ConfinedThreads threads(shared_, 2);
    const int mode_before = seccomp_mode();
    int mode = 0;
    int error = 0;
    EXPECT_TRUE(threads.run([&] {
        mode = seccomp_mode();
        if (refused_call() < 0) error = errno;
    }));
    EXPECT_EQ(mode, SECCOMP_MODE_FILTER);
    EXPECT_EQ(error, EAFNOSUPPORT);
    EXPECT_EQ(seccomp_mode(), mode_before);
}

TEST_F(Confined, OneAfterAnotherTakesOneThread) {
    ConfinedThreads threads(shared_, 4);
    std::set<std::thread::id> seen;
    for (int i = 0; i < 20; ++i) threads.run([&] { seen.insert(std::this_thread::get_id()); });
    EXPECT_EQ(seen.size(), 1u);
    EXPECT_FALSE(seen.contains(std::this_thread::get_id()));
}

TEST_F(Confined, AsManyRunAtOnceAsThereMayBe) {
    constexpr int kMost = 3;
    ConfinedThreads threads(shared_, kMost);
    std::latch all_run(kMost);
    std::atomic<int> running = 0;
    std::atomic<int> most_running = 0;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4 * kMost; ++i) {
        callers.emplace_back([&, waits = i < kMost] {
            threads.run([&] {
                const int now = ++running;
                for (int seen = most_running; seen < now && !most_running.compare_exchange_weak(seen, now);) continue;
                if (waits) all_run.arrive_and_wait();
                --running;
            });
        });
    }
    callers.clear();
    EXPECT_EQ(most_running, kMost);
}

TEST_F(Confined, NothingRunsWhereTheSandboxCannotBeEntered) {
    const Descriptor no_namespace(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    shared_.network = no_namespace.get();
    ConfinedThreads threads(shared_, 1);
    bool has_run = false;
    EXPECT_FALSE(threads.run([&] { has_run = true; }));
    EXPECT_FALSE(has_run);
}

TEST_F(Confined, KnowsWhatIsLeftToEnter) {
    const ConfinedThreads threads(shared_, 1);
    MillraceSandbox child = shared_;
    child.list = 7;
    child.user = 9;
    EXPECT_TRUE(threads.are_in(child));
    const MillraceSandbox left = ConfinedThreads::left_of(child);
    EXPECT_EQ(left.list, 7);
    EXPECT_EQ(left.user, 9u);
    EXPECT_EQ(left.calls, nullptr);
    child.network = 5;
    EXPECT_FALSE(threads.are_in(child));
}

}  // namespace
}  // namespace millrace::runtime
