// A job document in a line for people: how far it is, how it ended, what to do next. Pure; the document is not trusted.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::cli {

bool is_terminal(const nlohmann::json& job);
// For a terminal job: done, failed objects, or failed.
int exit_status_of(const nlohmann::json& job);

// "512/1000", settled objects of all; "512" while the total is being counted.
std::string object_counts(const nlohmann::json& job);
// "job-… running 51% 512/1000 objects, 2 failed, 160/s, 1.2 MiB/s, ETA 3s, slowest t-abc"
std::string progress_line(const nlohmann::json& job);
// "job-… [#####-----] 51% 512/1000 objects, …", cut to the width; the bar takes what is left over, from 10 to 40 columns.
std::string progress_bar(const nlohmann::json& job, std::size_t columns);
// For a terminal job: "job-… completed: 1000 objects (998 done, 2 failed) in 6s, 1.0 MiB in, 1.3 MiB out"
std::string outcome_line(const nlohmann::json& job);
// What somebody should know who thinks that all is well: names that --ext did not touch, results with nothing in them, a target that has
// far more than its share of the objects. Sentences; none: all is as expected.
std::vector<std::string> remarks(const nlohmann::json& job);
// Which target has far more than its share of the objects, by how many each has, as a sentence; "" while that may be chance.
std::string skew_of(const std::map<std::string, std::uint64_t>& objects_of_target);
// That nothing has succeeded so far, while it may still be stopped in time; "" otherwise.
std::string early_warning(const nlohmann::json& job);
// The command that resumes or retries the job, "" if there is nothing left to do.
std::string next_step(const nlohmann::json& job);

}  // namespace millrace::cli
