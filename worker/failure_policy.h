// What to do with an object whose attempt failed: the failure classes of a job. Pure.
#pragma once
#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/failure.h"

namespace millrace::worker {

// An object that fails so often at a sink which takes others' results fails for good.
inline constexpr std::uint32_t kSinkFailuresMax = 5;

enum class Verdict {
    skip,        // the object is gone: nothing to do
    fail,        // settled as failed, with a ledger row
    quarantine,  // it kills its transform: settled, with a ledger row
    retry,       // again after a delay
    isolate,     // again, alone in a scratch instance
    wait,        // not this object's fault: the slice stalls and tries again, the attempt does not count
    stop,        // the slice is from an earlier epoch
};

struct Attempt {
    std::uint32_t number = 1;      // this was the Nth, from 1
    std::uint32_t attempts_max = 3;
    bool isolated = false;         // it ran alone
    bool listed = false;           // the job names the object, so its absence is a failure
    bool may_have_waited = false;  // its time may have gone by behind an object that keeps the server busy
    std::uint32_t sink_failures = 0;  // of its own doing, see SinkTrials
};

// Whether a result may be the reason why a sink fails with this: too large for what it has, too slow in coming.
bool may_be_the_results_doing(Code code);

Verdict judge(const Failure& failure, const Attempt& attempt);

// Exponential from 100 ms, at most 10 s: before attempt number + 1.
Duration retry_delay(std::uint32_t number);
// The same from 250 ms, at most 5 s: how long a slice stalls the Nth time in a row.
Duration stall_delay(std::uint32_t stalls);

}  // namespace millrace::worker
