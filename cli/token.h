// The token that requests are made with: environment, configuration file. AIStore's variables and its command's file are read, too.
#pragma once
#include <string>

#include "cli/context.h"

namespace millrace::cli {

// MILLRACE_TOKEN, MILLRACE_TOKEN_FILE, AIS_AUTHN_TOKEN, AIS_AUTHN_TOKEN_FILE, a line 'token_file: PATH' in ~/.config/millrace/config.yaml, in this
// order; empty: there is none. A file holds the token alone, or as the "token" of a JSON object.
Result<std::string> find_token(const Console& console);
// What such a file holds; "-": standard input.
Result<std::string> read_token_file(const std::string& file, const Console& console);

}  // namespace millrace::cli
