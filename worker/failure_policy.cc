#include "worker/failure_policy.h"

#include <algorithm>

namespace millrace::worker {
namespace {

Verdict judge_transform(const Failure& failure, const Attempt& attempt) {
    switch (failure.error.code) {
        case Code::unavailable:
        case Code::overloaded: return Verdict::wait;
        case Code::crashed: return attempt.isolated ? Verdict::quarantine : Verdict::isolate;
        case Code::transient: return attempt.number < attempt.attempts_max ? Verdict::retry : Verdict::fail;
        case Code::timed_out:
            if (attempt.isolated) return Verdict::fail;
            if (attempt.number < attempt.attempts_max) return Verdict::retry;
            return attempt.may_have_waited ? Verdict::isolate : Verdict::fail;
        case Code::cancelled: return Verdict::wait;
        // Said alone, or every time, it is meant.
        case Code::rejected: return failure.may_be_chance && attempt.number < attempt.attempts_max ? Verdict::retry : Verdict::fail;
        default: return Verdict::fail;
    }
}

Verdict judge_source(Code code, const Attempt& attempt) {
    if (code == Code::not_found) return attempt.listed ? Verdict::fail : Verdict::skip;
    if (code == Code::overloaded) return Verdict::wait;  // the node has no descriptor or memory for it now
    if (code == Code::io) return attempt.number < attempt.attempts_max ? Verdict::retry : Verdict::fail;
    return Verdict::fail;
}

Verdict judge_sink(Code code, const Attempt& attempt) {
    if (may_be_the_results_doing(code) && attempt.sink_failures >= kSinkFailuresMax) return Verdict::fail;
    switch (code) {
        case Code::stale_epoch: return Verdict::stop;
        case Code::no_space:
        case Code::permission:
        case Code::io:
        case Code::not_found:  // the destination bucket is gone
        case Code::unavailable:
        case Code::timed_out:
        case Code::overloaded:
        case Code::incomplete_body:
        case Code::cancelled:
        case Code::transient: return Verdict::wait;
        default: return Verdict::fail;
    }
}

Duration doubled(milliseconds first, milliseconds most, std::uint32_t number) {
    const std::uint32_t doublings = std::min<std::uint32_t>(number > 0 ? number - 1 : 0, 16);
    return std::min<Duration>(first * (1u << doublings), most);
}

}  // namespace

bool may_be_the_results_doing(Code code) {
    return code == Code::no_space || code == Code::io || code == Code::timed_out || code == Code::incomplete_body;
}

Verdict judge(const Failure& failure, const Attempt& attempt) {
    switch (failure.blame) {
        case Blame::transform: return judge_transform(failure, attempt);
        case Blame::source: return judge_source(failure.error.code, attempt);
        case Blame::sink: return judge_sink(failure.error.code, attempt);
    }
    return Verdict::fail;
}

Duration retry_delay(std::uint32_t number) { return doubled(milliseconds(100), milliseconds(10'000), number); }
Duration stall_delay(std::uint32_t stalls) { return doubled(milliseconds(250), milliseconds(5'000), stalls); }

}  // namespace millrace::worker
