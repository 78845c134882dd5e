// Dates as HTTP writes and reads them (RFC 9110, 5.6.7). Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::http {

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string date_text(std::int64_t unix_seconds);
// In this form or one of the two old ones, "Sunday, 06-Nov-94 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994"; nullopt for anything else. The
// day of the week is not compared with the date. now_unix_seconds: a year of two digits is none that is more than 50 years after it.
std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now_unix_seconds);

}  // namespace millrace::http
