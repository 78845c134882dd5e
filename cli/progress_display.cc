#include "cli/progress_display.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/progress.h"

namespace millrace::cli {

ProgressDisplay::ProgressDisplay(Console& console, bool shown, Duration line_interval)
    : console_(console), shown_(shown), line_interval_(line_interval) {}

void ProgressDisplay::update(const nlohmann::json& job, Instant now) {
    if (!shown_ || is_terminal(job)) return;
    if (console_.err_is_terminal) {
        console_.err << '\r' << progress_bar(job, console_.columns > 1 ? console_.columns - 1 : 1) << "\x1b[K"
                     << std::flush;
        bar_on_screen_ = true;
        return;
    }
    line_ = progress_line(job);
    const std::string state = text_of(job, "state");
    const bool changed = state != state_;
    state_ = state;
    if (changed || now - printed_at_ >= line_interval_) print_line(now);
}

void ProgressDisplay::tick(Instant now) {
    if (!line_.empty() && now - printed_at_ >= line_interval_) print_line(now);
}

void ProgressDisplay::say(std::string_view text) {
    end();
    notice(console_, text);
}

void ProgressDisplay::end() {
    if (bar_on_screen_) console_.err << '\n' << std::flush;
    bar_on_screen_ = false;
}

void ProgressDisplay::print_line(Instant now) {
    console_.err << line_ << '\n' << std::flush;
    printed_at_ = now;
}

}  // namespace millrace::cli
