// MILLRACE_CHECK(condition): a broken invariant of our own ends the process with a message. It stays in release builds:
// what is on disk makes a restart safe, going on with wrong state does not. Never used on input.
#pragma once

namespace millrace {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace millrace

#define MILLRACE_CHECK(condition) \
    do {                          \
        if (!(condition)) ::millrace::check_failed(#condition, __FILE__, __LINE__); \
    } while (false)
