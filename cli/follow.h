// Follows a job until it ends: its events as they come, and asking again and again while there is no stream of them, as
// when the proxy restarts. A proxy that is away is waited for: until the time is over that was given, else for some minutes.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/verbs.h"
#include "core/clock.h"

namespace millrace::cli {

struct FollowOptions {
    std::optional<Duration> time_max;  // for the whole wait
    bool show_progress = true;
    Duration line_interval = std::chrono::seconds(5);   // of progress lines, off a terminal
    Duration pause_min = milliseconds(200);             // between two questions; doubles up to the next
    Duration pause_max = std::chrono::seconds(5);
    Duration stream_max = std::chrono::seconds(60);     // a stream that is silent this long is opened anew
    Duration silence_max = std::chrono::minutes(10);    // without a word from the proxy: given up, unless there is time_max
    Duration first_word_max = std::chrono::seconds(30);  // the same while nobody has spoken of the job yet
    bool is_known = false;                               // the cluster has spoken of the job before
};

// Those that the flags ask for. Code::invalid_argument: no duration, or one without anything to wait for.
Result<FollowOptions> follow_options(const Waiting& waiting);


struct Followed {
    enum class End { terminal, timed_out, interrupted };
    End end = End::interrupted;
    nlohmann::json job;  // the last document seen; null if none was
};

// Code::unavailable when the proxy stayed away too long. Blocking.
Result<Followed> follow_job(Context& context, const std::string& job_id, const FollowOptions& options);

// Follows, then reports the outcome, or how to go on, on `err`; for JSON output the document goes to `out`. The exit
// status.
int follow_and_report(Context& context, const std::string& job_id, const FollowOptions& options);

}  // namespace millrace::cli
