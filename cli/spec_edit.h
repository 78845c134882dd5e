// Single values of a specification's text, read and replaced without knowing the rest of it. Pure.
#pragma once
#include <string>

#include "core/result.h"

namespace millrace::cli {

// Empty: as the specification says.
struct SpecValues {
    std::string name;
    std::string communication;
    std::string init_timeout;
    std::string object_timeout;

    bool empty() const { return name.empty() && communication.empty() && init_timeout.empty() && object_timeout.empty(); }
};

// One document in YAML or JSON: its `name`, or the name in the metadata of a pod. Not checked further.
Result<std::string> spec_name(const std::string& document);
// The document with these values instead of its own, in YAML or JSON. A pod goes into the message that has places for them.
Result<std::string> with_values(const std::string& document, const SpecValues& values);

}  // namespace millrace::cli
