// The documents of the Engine API: requests to JSON, replies from JSON. Pure.
//
// Both dialects, Docker's and Podman's, are read here and nowhere else.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine.h"

namespace millrace::runtime::engine_json {

// Fails on text that is not UTF-8.
Result<std::string> create_request(const ContainerRequest& request);
// The value of ?filters= for containers with a label.
std::string label_filter(const std::string& label);

// A reply that is not what it should be is Code::corrupt.
Result<std::string> version(std::string_view body);
Result<ImageInfo> image(std::string_view body);
Result<std::string> created_id(std::string_view body);
Result<ContainerState> state(std::string_view body);
Result<std::vector<std::string>> ids(std::string_view body);
// The failure that a line of the progress of a pull tells, if it tells one.
std::optional<std::string> pull_failure(std::string_view line);

// What a status of 400 or more means.
Error error(int status, std::string_view body);

}  // namespace millrace::runtime::engine_json
