// Shows a job's progress while it is followed: a bar that redraws itself on a terminal, else a line every few seconds.
//
// On one thread at a time.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/context.h"
#include "core/clock.h"

namespace millrace::cli {

class ProgressDisplay {
public:
    // `shown` false: only notices.
    ProgressDisplay(Console& console, bool shown, Duration line_interval);

    void update(const nlohmann::json& job, Instant now);
    // Prints the line that is due even though nothing changed.
    void tick(Instant now);
    // A message between two states of the bar.
    void say(std::string_view text);
    // Leaves the cursor at the start of a fresh line.
    void end();

private:
    void print_line(Instant now);

    Console& console_;
    bool shown_;
    Duration line_interval_;
    std::string line_;         // the latest, not drawn as a bar
    std::string state_;        // a change of it is shown at once
    Instant printed_at_{};
    bool bar_on_screen_ = false;
};

}  // namespace millrace::cli
