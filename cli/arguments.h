// The grammar of the command line: words and flags to a verb, help texts, and what to say about a mistake. Pure.
#pragma once
#include <expected>
#include <string>
#include <vector>

#include "cli/verbs.h"

namespace millrace::cli {

struct Invocation {
    std::string endpoint;  // --endpoint; empty: not given
    bool json = false;
    Verb verb;
};

struct UsageError {
    std::string message;
    std::string hint;
};

// `args` without the program's name. A wish for help is a Help verb.
std::expected<Invocation, UsageError> parse_arguments(std::vector<std::string> args);

// One command with what may follow it, for shell completion.
struct CommandWords {
    std::vector<std::string> path;  // {} for the program itself, {"job", "submit"}
    std::string description;
    std::vector<std::string> commands;
    std::vector<std::string> flags;  // "--prefix", "-f"
};
std::vector<CommandWords> command_words();

}  // namespace millrace::cli
