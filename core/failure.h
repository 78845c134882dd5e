// Why an object could not be made into its result, and whose fault that is.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace {

enum class Blame { transform, source, sink };

// Errors of the source and the sink are passed through as they came. Those of a transform: rejected (4xx, exit status; it helps to try again only by chance),
// transient (5xx), timed_out, crashed (it died, or was killed by a signal, while it had the object), unavailable (no instance runs now; the
// object was not tried).
struct Failure {
    Blame blame = Blame::transform;
    Error error;
    std::string stderr_tail;  // of the transform
    std::string sink{};       // of a job: the target that should have taken the result; empty: the one where it was made
    bool may_be_chance = false;  // a rejection while the transform had others, which may have got in each other's way
};

}  // namespace millrace
