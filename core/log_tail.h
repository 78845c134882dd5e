// The last lines of this process's log, kept in memory so that others may read them over HTTP, wherever the log itself goes. Any thread.
#pragma once
#include <cstdint>
#include <string>

#include "core/log.h"

namespace millrace::log {

inline constexpr std::size_t kTailBytesMax = 1 << 20;

struct Tail {
    std::string text;       // whole lines
    std::uint64_t end = 0;  // where the next one will begin
};
// Lines of this level and above, which have positions of their own: the bytes that were written before them since the start. Those at `after`
// and behind, as far as they are kept; all that are kept where `after` is beyond the end, as after a restart.
Tail tail(Level least, std::uint64_t after = 0);

}  // namespace millrace::log
