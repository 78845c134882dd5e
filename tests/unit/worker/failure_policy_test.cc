#include "worker/failure_policy.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

namespace millrace::worker {
namespace {

TEST(FailurePolicy, ARejectionThatMayBeChanceIsTriedAgain) {
    const Failure chance{.blame = Blame::transform, .error = fail(Code::rejected, "x"), .may_be_chance = true};
    EXPECT_EQ(judge(chance, {.number = 1}), Verdict::retry);
    EXPECT_EQ(judge(chance, {.number = 2, .attempts_max = 3}), Verdict::retry);
    EXPECT_EQ(judge(chance, {.number = 3, .attempts_max = 3}), Verdict::fail);
    EXPECT_EQ(judge(chance, {.number = 1, .attempts_max = 1}), Verdict::fail);
}

Verdict verdict(Blame blame, Code code, Attempt attempt = {}) { return judge({blame, fail(code, "x"), ""}, attempt); }

TEST(FailurePolicy, WhatTheTransformRejectsIsNotRetried) {
    for (const Code code : {Code::rejected, Code::too_large, Code::invalid_argument, Code::internal}) {
        EXPECT_EQ(verdict(Blame::transform, code), Verdict::fail) << code_name(code);
    }
}

TEST(FailurePolicy, TransientFailuresAreRetriedUpToTheLimit) {
    for (const Code code : {Code::transient, Code::timed_out}) {
        EXPECT_EQ(verdict(Blame::transform, code, {.number = 1, .attempts_max = 3}), Verdict::retry);
        EXPECT_EQ(verdict(Blame::transform, code, {.number = 2, .attempts_max = 3}), Verdict::retry);
        EXPECT_EQ(verdict(Blame::transform, code, {.number = 3, .attempts_max = 3}), Verdict::fail);
        EXPECT_EQ(verdict(Blame::transform, code, {.number = 1, .attempts_max = 1}), Verdict::fail);
    }
}

TEST(FailurePolicy, WhatMayHaveWaitedForAnotherIsTriedAloneAtLast) {
    Attempt attempt{.number = 2, .attempts_max = 3, .may_have_waited = true};
    EXPECT_EQ(verdict(Blame::transform, Code::timed_out, attempt), Verdict::retry);
    attempt.number = 3;
    EXPECT_EQ(verdict(Blame::transform, Code::timed_out, attempt), Verdict::isolate);
    EXPECT_EQ(verdict(Blame::transform, Code::transient, attempt), Verdict::fail);
    attempt.isolated = true;
    EXPECT_EQ(verdict(Blame::transform, Code::timed_out, attempt), Verdict::fail);
}

TEST(FailurePolicy, ACrashMakesASuspectAndASecondOneAloneAQuarantine) {
    EXPECT_EQ(verdict(Blame::transform, Code::crashed, {.number = 9, .attempts_max = 3}), Verdict::isolate) << "whatever the number";
    EXPECT_EQ(verdict(Blame::transform, Code::crashed, {.isolated = true}), Verdict::quarantine);
}

TEST(FailurePolicy, ATransformThatIsNotThereIsNotTheObjectsFault) {
    for (const Code code : {Code::unavailable, Code::overloaded, Code::cancelled}) {
        EXPECT_EQ(verdict(Blame::transform, code, {.number = 3, .attempts_max = 3}), Verdict::wait) << code_name(code);
    }
}

TEST(FailurePolicy, AnObjectThatIsGoneIsSkippedUnlessTheJobNamesIt) {
    EXPECT_EQ(verdict(Blame::source, Code::not_found), Verdict::skip);
    EXPECT_EQ(verdict(Blame::source, Code::not_found, {.listed = true}), Verdict::fail);
}

TEST(FailurePolicy, AReadErrorIsTriedAgainAndCorruptionIsNot) {
    EXPECT_EQ(verdict(Blame::source, Code::io), Verdict::retry);
    EXPECT_EQ(verdict(Blame::source, Code::io, {.number = 3, .attempts_max = 3}), Verdict::fail);
    EXPECT_EQ(verdict(Blame::source, Code::corrupt), Verdict::fail);
}

TEST(FailurePolicy, TroubleAtTheDestinationIsNotTheObjectsFault) {
    for (const Code code : {Code::no_space, Code::permission, Code::io, Code::not_found, Code::unavailable, Code::timed_out, Code::overloaded,
                            Code::incomplete_body, Code::cancelled, Code::transient}) {
        EXPECT_EQ(verdict(Blame::sink, code, {.number = 3, .attempts_max = 3}), Verdict::wait) << code_name(code);
    }
    EXPECT_EQ(verdict(Blame::sink, Code::stale_epoch), Verdict::stop);
    EXPECT_EQ(verdict(Blame::sink, Code::too_large), Verdict::fail);
}

TEST(FailurePolicy, WhatFailsAtASinkThatTakesOthersFailsAtLast) {
    for (const Code code : {Code::no_space, Code::io, Code::timed_out, Code::incomplete_body}) {
        EXPECT_EQ(verdict(Blame::sink, code, {.sink_failures = kSinkFailuresMax - 1}), Verdict::wait) << code_name(code);
        EXPECT_EQ(verdict(Blame::sink, code, {.sink_failures = kSinkFailuresMax}), Verdict::fail) << code_name(code);
    }
    EXPECT_EQ(verdict(Blame::sink, Code::unavailable, {.sink_failures = 100}), Verdict::wait) << "nobody is there";
}

TEST(FailurePolicy, ANodeWithoutDescriptorsOrMemoryIsNotTheObjectsFault) {
    for (const int failure : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN}) {
        const Code code = errno_error("open it", failure).code;
        for (const Blame blame : {Blame::source, Blame::sink, Blame::transform}) {
            EXPECT_EQ(verdict(blame, code, {.number = 3, .attempts_max = 3}), Verdict::wait) << strerror(failure);
        }
    }
}

TEST(FailurePolicy, DelaysDoubleUpToABound) {
    EXPECT_EQ(retry_delay(1), milliseconds(100));
    EXPECT_EQ(retry_delay(2), milliseconds(200));
    EXPECT_EQ(retry_delay(4), milliseconds(800));
    EXPECT_EQ(retry_delay(8), milliseconds(10'000));
    EXPECT_EQ(retry_delay(4'000'000'000), milliseconds(10'000));
    EXPECT_EQ(retry_delay(0), milliseconds(100));
    EXPECT_EQ(stall_delay(1), milliseconds(250));
    EXPECT_EQ(stall_delay(5), milliseconds(4000));
    EXPECT_EQ(stall_delay(6), milliseconds(5000));
}

}  // namespace
}  // namespace millrace::worker
