// What every verb is handed: the streams and the environment it may use, the session with the cluster, and the one way to
// report an error.
#pragma once
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::cli {

class Session;

// Exit statuses of the command; scripts rely on them.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailedObjects = 1;  // finished, but without some objects, files or rows of a list
inline constexpr int kExitUsage = 2;          // bad arguments, or a request that the cluster refuses as it stands
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitUnreachable = 5;
inline constexpr int kExitFailed = 6;         // failed, cancelled, or any other error
inline constexpr int kExitTimedOut = 7;       // what was waited for did not come in time
inline constexpr int kExitInterrupted = 130;

int exit_status(Code code);

struct Console {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    std::function<std::optional<std::string>(const std::string& name)> environment;
    bool err_is_terminal = false;
    std::size_t columns = 80;  // of the terminal
};

// One line on `err`, cleaned of control characters: "millrace: <what>: <detail>"; the hint, if any, on a second.
void report(Console& console, std::string_view what, std::string_view detail, std::string_view hint = "");
// "millrace: <text>"
void notice(Console& console, std::string_view text);

struct Context {
    Console& console;
    Session& session;
    bool json = false;  // print JSON instead of tables

    // Reports what failed and why, and what to do where that is known; the exit status for it.
    int fail(std::string_view what, const Error& error) const;
};

}  // namespace millrace::cli
