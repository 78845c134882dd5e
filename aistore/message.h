// The messages of AIStore's clients: {"action":…,"name":…,"value":…}, and the members of JSON objects whose keys are
// compared without case, as Go does. Unknown members are ignored. Pure.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/json_members.h"
#include "core/result.h"

namespace millrace::aistore {

inline constexpr std::size_t kBodyMax = 1 << 20;

// A member that is absent or null reads as the empty text, false or 0; one of another type is an error that names it.
class Fields {
public:
    // Refers to the object, which must outlive it; anything but an object has no members.
    explicit Fields(const nlohmann::json& object) : object_(object) {}

    const nlohmann::json* find(std::string_view key) const;  // null when absent or null
    Result<std::string> text(std::string_view key) const;
    Result<bool> flag(std::string_view key) const;
    Result<std::int64_t> number(std::string_view key) const;  // also one that is written as text

private:
    const nlohmann::json& object_;
};

struct ActionMessage {
    std::string action;  // empty when there was no body
    std::string name;
    nlohmann::json value;
};
Result<ActionMessage> parse_action(const std::string& body);


}  // namespace millrace::aistore
