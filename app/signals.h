// Waiting for the signals that stop a node. Call block() before any thread is made, so that every thread inherits it.
#pragma once
#include "core/clock.h"

namespace millrace::app {

void block_stop_signals();  // SIGINT, SIGTERM, SIGHUP
// The signal, or 0 at the deadline. SIGCHLD ends the wait too when `children` is true.
int wait_for_signal(Duration patience, bool children);

}  // namespace millrace::app
