// AIStore's action message, the JSON body of requests that are neither content nor empty. Keys compare without case, unknown ones
// are ignored.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "http/server.h"

namespace millrace::worker {

struct ActionMessage {
    std::string action;
    std::string name;  // empty where there is none
    nlohmann::json value;
};

// Null where there is none.
nlohmann::json member(const nlohmann::json& object, std::string_view key);
Task<Result<ActionMessage>> read_action(http::Request& request);

}  // namespace millrace::worker
