// Times in the form that a client asks for, as Go writes it: an example of how a certain moment would look. Pure.
#pragma once
#include <string>
#include <string_view>

namespace millrace::aistore {

// What AIStore shows where nothing is asked for, such as "29 Nov 26 17:13 UTC".
inline constexpr std::string_view kDefaultLayout = "02 Jan 06 15:04 MST";

// rfc3339: as core/clock.h writes it, in UTC; of another text "". In a layout such as "2006-01-02T15:04:05Z07:00" each part is replaced by
// that of the time.
std::string in_layout(std::string_view rfc3339, std::string_view layout);

}  // namespace millrace::aistore
