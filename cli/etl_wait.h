// Waits until a transform that was started runs on every online target.
#pragma once
#include <string>

#include "cli/context.h"
#include "cli/verbs.h"
#include "core/clock.h"

namespace millrace::cli {

struct EtlPatience {
    Instant deadline;
    bool is_given = false;  // by --timeout; else it is the longest that a start may take
    bool show_progress = false;
    Duration pause = milliseconds(500);  // between two questions
};
// Code::invalid_argument: no duration, or one without anything to wait for.
Result<EtlPatience> etl_patience(const Waiting& waiting);

// Blocking; rides over a proxy that is away for a while. Reports what went wrong; the exit status.
int wait_until_running(Context& context, const std::string& what, const std::string& name, const EtlPatience& patience);

}  // namespace millrace::cli
