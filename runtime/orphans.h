// The processes that become children of this process because their own parents ended: daemons of runs, what a shell left in the
// background. This process asks for them, so that nothing of a run gets out of sight, and reaps them.
//
// Any thread.
#pragma once
#include <sys/types.h>

#include "runtime/run_mark.h"

namespace millrace::runtime {

// From here on orphans come to this process. Harmless when repeated.
void adopt_orphans();

// Reaps those that have ended.
void reap_orphans();

// Reaps those that have ended. Whether orphans of a run live on. One read of a short file where there are none.
bool has_orphans(Mark run);

// Children that we made, and wait for ourselves, are no orphans.
void remember_child(pid_t pid);
void forget_child(pid_t pid);

}  // namespace millrace::runtime
