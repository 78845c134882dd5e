// The failures of runs and of starts, in the words that users read. Pure.
#pragma once
#include <string>

#include "runtime/instance.h"

namespace millrace::runtime {

Failure transform_failure(Code code, std::string text, std::string stderr_tail = {});
Failure source_failure(Error error);
Failure sink_failure(Error error);
// "timeout: no result within 10s", how far it got, and what gives it longer. started: of a run without a clock.
Failure timed_out_failure(const ObjectRun& object, Instant started, std::string stderr_tail = {});
Failure stopped_failure(const std::string& name);

// "transform 'x': command not found: gzipp; install it on this target or correct the specification".
Error start_failure(const std::string& name, const Error& why);

}  // namespace millrace::runtime
