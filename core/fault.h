// Named fault points: places where a crash or an I/O error is most likely to hurt. Tests arm one per process through the
// environment; unarmed, a point costs one load.
//
// MILLRACE_FAULT=name:N:kill        SIGKILL this process when the point is passed for the Nth time (from 1)
// MILLRACE_FAULT=name:N:no_space    the Nth and every later passing fails with Code::no_space
// MILLRACE_FAULT=name:N:io          the same with Code::io
// Names are listed in tests/crash; a point is written MILLRACE_FAULT_POINT("store.before_rename").
#pragma once
#include "core/result.h"

namespace millrace::fault {
extern bool armed;
// Reads the environment; called once by main before threads. An unreadable value is an error.
Result<void> arm_from_environment();
// Kills the process, or returns the error to inject; success otherwise.
Result<void> pass(std::string_view name);
}  // namespace millrace::fault

// Expression: Result<void>.
#define MILLRACE_FAULT_POINT(name) \
    (::millrace::fault::armed ? ::millrace::fault::pass(name) : ::millrace::Result<void>{})
