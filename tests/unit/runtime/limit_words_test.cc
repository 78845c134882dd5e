#include "runtime/limit_words.h"

#include <gtest/gtest.h>

#include <csignal>

namespace millrace::runtime {
namespace {

constexpr spec::Limits kLimits{.memory_bytes = 64 << 20, .cpu_seconds = 2, .open_files = 100, .file_bytes = 4096, .processes = 8};

ExitStatus status(int number) { return {.signalled = false, .number = number}; }
ExitStatus by_signal(int number) { return {.signalled = true, .number = number}; }

TEST(LimitWords, WhatTheKernelSaysBySignal) {
    EXPECT_EQ(limit_words(kLimits, by_signal(SIGXCPU), ""), " (its cpu_time limit is 2s)");
    EXPECT_EQ(limit_words(kLimits, by_signal(SIGXFSZ), ""), " (its file_size limit is 4.0 KiB)");
    EXPECT_EQ(limit_words(kLimits, status(128 + SIGXCPU), ""), " (its cpu_time limit is 2s)") << "of a command of its shell";
    EXPECT_EQ(limit_words(kLimits, by_signal(SIGSEGV), ""), " (perhaps for its memory limit, which is 64.0 MiB)");
}

TEST(LimitWords, WhatTheProgramSays) {
    EXPECT_EQ(limit_words(kLimits, status(1), "Traceback\nMemoryError\n"), " (perhaps for its memory limit, which is 64.0 MiB)");
    EXPECT_EQ(limit_words(kLimits, status(2), "x: Cannot allocate memory"), " (perhaps for its memory limit, which is 64.0 MiB)");
    EXPECT_EQ(limit_words(kLimits, status(1), "open: Too many open files"), " (perhaps for its open_files limit, which is 100)");
    EXPECT_EQ(limit_words(kLimits, status(2), "sh: 1: Cannot fork"), " (perhaps for its processes limit, which is 8)");
    EXPECT_EQ(limit_words(kLimits, status(1), "OSError: [Errno 27] File too large"), " (its file_size limit is 4.0 KiB)");
}

TEST(LimitWords, NothingWhereThereIsNoLimitOrAnotherReason) {
    const spec::Limits none{.open_files = 0};
    EXPECT_EQ(limit_words(none, by_signal(SIGXCPU), "Too many open files, Cannot allocate memory"), "");
    EXPECT_EQ(limit_words(kLimits, status(1), "cannot decode"), "");
    EXPECT_EQ(limit_words(kLimits, status(SIGXCPU), ""), "") << "a number of the program's own";
    EXPECT_EQ(limit_words(kLimits, by_signal(SIGKILL), ""), "");
}

}  // namespace
}  // namespace millrace::runtime
