// A whole body in memory, up to a bound.
#pragma once
#include <string>

#include "core/body.h"

namespace millrace::http {

// Code::too_large when there is more; nothing is read then if the source knows its size.
Task<Result<std::string>> read_to_string(Source& source, std::size_t bytes_max);

}  // namespace millrace::http
