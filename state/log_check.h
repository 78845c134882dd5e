// Looks at the files of a database before RocksDB opens it. RocksDB takes a damaged record for the end of a log, as a power cut leaves
// it, and a folder without its file CURRENT for a new one; here what was durable is known, and what is missing of it is named.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "state/durable_marks.h"

namespace millrace::state {

// Of a file's name: a write-ahead log or a manifest.
bool is_log(std::string_view name);

// Code::corrupt, with the file, when something is missing that had been durable, or that was changed since the machine was started. A torn end
// of a log is none: it is logged.
// accept_loss: damage in a write-ahead log is cut off, with everything that was written after it; what is cut off is kept in a folder
// beside the logs, and logged. Other damage stays an error.
Result<void> check_files(const std::string& folder, DurableMarks& marks, bool accept_loss);

}  // namespace millrace::state
