// Threads that somebody waits for, beside threads that work all the time.
#pragma once

namespace millrace {

// Asks the kernel to run the calling thread soon after each wake-up, in return for short turns; its share of a processor stays the same.
// Needs no privilege. Linux before 6.12 does not know this, and nothing changes there. Processes that the thread starts do not inherit it.
void prefer_short_waits();

}  // namespace millrace
