// Base64 with the standard alphabet and padding (RFC 4648 section 4), and base64url, which URLs and words may hold, without (section 5). Pure.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace {

std::string base64_encode(std::string_view bytes);
// Refuses other characters (also line ends), missing or misplaced padding, and bits that no encoder leaves behind.
Result<std::string> base64_decode(std::string_view text);

std::string base64url_encode(std::string_view bytes);
Result<std::string> base64url_decode(std::string_view text);

}  // namespace millrace
