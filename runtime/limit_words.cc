#include "runtime/limit_words.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <span>

#include "core/units.h"

namespace millrace::runtime {
namespace {

// What programs print for ENOMEM, EMFILE, EAGAIN of fork() and EFBIG, whatever language they are written in.
constexpr std::array<std::string_view, 6> kMemoryWords{"annot allocate memory", "emory exhausted", "ut of memory", "MemoryError", "bad_alloc", "OutOfMemory"};
constexpr std::array<std::string_view, 2> kFileWords{"oo many open files", "EMFILE"};
constexpr std::array<std::string_view, 6> kProcessWords{"Cannot fork", "fork: retry", "fork failed",
                                                         "esource temporarily unavailable", "can't start new thread", "EAGAIN"};
constexpr std::array<std::string_view, 2> kSizeWords{"ile too large", "EFBIG"};

bool says(std::string_view text, std::span<const std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != text.npos; });
}

// Of itself or, as its shell tells, of a command that it ran.
bool ended_by(const ExitStatus& end, int signal) { return end.number == (end.signalled ? signal : kShellSignalBase + signal); }

}  // namespace

std::string limit_words(const spec::Limits& limits, const ExitStatus& end, std::string_view last_words) {
    if (limits.cpu_seconds > 0 && ended_by(end, SIGXCPU)) return " (its cpu_time limit is " + std::to_string(limits.cpu_seconds) + "s)";
    if (limits.file_bytes > 0 && (ended_by(end, SIGXFSZ) || says(last_words, kSizeWords))) {
        return " (its file_size limit is " + size_text(limits.file_bytes) + ")";
    }
    const bool may_lack_memory = says(last_words, kMemoryWords) || ended_by(end, SIGSEGV) || ended_by(end, SIGABRT) || ended_by(end, SIGBUS);
    if (limits.memory_bytes > 0 && may_lack_memory) return " (perhaps for its memory limit, which is " + size_text(limits.memory_bytes) + ")";
    if (limits.open_files > 0 && says(last_words, kFileWords)) {
        return " (perhaps for its open_files limit, which is " + std::to_string(limits.open_files) + ")";
    }
    if (limits.processes > 0 && says(last_words, kProcessWords)) {
        return " (perhaps for its processes limit, which is " + std::to_string(limits.processes) + ")";
    }
    return "";
}

}  // namespace millrace::runtime
