// A `job submit` command line as the JSON that POST /v1/jobs takes. Pure but for the list file.
#pragma once
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>

#include "cli/verbs.h"

namespace millrace::cli {

// Only what was given is set. Errors name the flag. `in` is read for --list-file -.
Result<nlohmann::json> job_spec(const JobSubmit& verb, std::istream& in);

// --on-error: "continue", "abort", "abort-after=N" or "abort-after=N%" (also with ':').
Result<std::string> parse_on_error(const std::string& text);

}  // namespace millrace::cli
