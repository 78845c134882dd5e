// A job as API.md shows it. Pure.
#pragma once
#include <string>

#include "scheduler/scheduler.h"

namespace millrace::scheduler {

enum class Detail { summary, full };  // summary: without slices and spec

std::string job_document(const LiveJob& live, const IsOnline& is_online, Detail detail, std::int64_t now_unix_ns);
// One line of a report about a slice.
std::string slice_document(const LiveJob& live, const std::string& target, const IsOnline& is_online);

}  // namespace millrace::scheduler
