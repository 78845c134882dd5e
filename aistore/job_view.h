// Jobs as AIStore's clients read them. Pure.
//
// AIStore forgets a job minutes after its end; here it is known until somebody removes it.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "aistore/message.h"
#include "core/clock.h"
#include "scheduler/job.h"

namespace millrace::aistore {

// Which jobs a request is about. Empty members match all.
struct JobFilter {
    std::string id;
    std::string kind;
    std::string target;
    std::set<std::string> buckets;  // that it reads from or writes to, one of them
    bool active = false;            // only those that have not ended
};
Result<JobFilter> parse_job_filter(const nlohmann::json& message);
bool matches(const JobFilter& filter, const scheduler::Job& job);

// A job of AIStore's stays among the active ones, idle, for some seconds after it has done everything, and its clients count on finding it there
// when they look again. So does one here.
inline constexpr auto kIdleTime = std::chrono::seconds(15);
bool has_just_ended(const scheduler::Job& job, std::int64_t now_unix_ns);

// Whether AIStore has jobs of this kind, although there may never be one here.
bool is_known_kind(std::string_view kind);

// What it does, in AIStore's words; of a job that was submitted otherwise, what it comes closest to.
std::string job_kind(const scheduler::Job& job);
nlohmann::json job_status(const scheduler::Job& job);
// One for each slice: (target, snapshot).
std::vector<std::pair<std::string, nlohmann::json>> job_snapshots(const scheduler::Job& job);

// Of a job that has not done anything, and is on no bucket.
nlohmann::json empty_snapshot(const std::string& id, const std::string& kind);

}  // namespace millrace::aistore
