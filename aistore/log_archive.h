// A log as a .tar.gz, as AIStore's clients ask for the whole of it. Pure.
#pragma once
#include <cstdint>
#include <string>

namespace millrace::aistore {

// One file of this name, up to 100 bytes of it, with this content; not compressed, which a reader need not know.
std::string log_archive(const std::string& name, const std::string& content, std::int64_t unix_seconds);

}  // namespace millrace::aistore
