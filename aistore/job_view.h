// Jobs as AIStore's clients read them. Pure.
//
// AIStore forgets a job minutes after its end; here it is known until somebody removes it. An id that begins with "move-" is
// of the renaming of a bucket, which is over when the request is answered: the id says when, and of which bucket.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "aistore/message.h"
#include "scheduler/job.h"

namespace millrace::aistore {

// Which jobs a request is about. Empty members match all.
struct JobFilter {
    std::string id;
    std::string kind;
    std::string target;
    bool active = false;  // only those that have not ended
};
Result<JobFilter> parse_job_filter(const nlohmann::json& message);
bool matches(const JobFilter& filter, const scheduler::Job& job);

// What it does, in AIStore's words; of a job that was submitted otherwise, what it comes closest to.
std::string job_kind(const scheduler::Job& job);
nlohmann::json job_status(const scheduler::Job& job);
// One for each slice: (target, snapshot).
std::vector<std::pair<std::string, nlohmann::json>> job_snapshots(const scheduler::Job& job);

std::string move_id(const std::string& bucket_uid, std::int64_t at_unix_ns);
struct Move {
    std::string bucket_uid;
    std::int64_t at_unix_ns = 0;
};
std::optional<Move> parse_move_id(const std::string& id);
nlohmann::json move_status(const std::string& id, const Move& move);
nlohmann::json move_snapshot(const std::string& id, const Move& move, const std::string& bucket);

}  // namespace millrace::aistore
