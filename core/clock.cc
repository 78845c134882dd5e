#include "core/clock.h"

#include <chrono>

namespace millrace {

std::int64_t unix_now_ns() {
    if (simulated_world() != nullptr) return simulated_world()->unix_now_ns();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string rfc3339(std::int64_t unix_ns) {
    using namespace std::chrono;
    if (unix_ns == 0) return "";
    const auto moment = floor<milliseconds>(sys_time<nanoseconds>(nanoseconds(unix_ns)));
    const auto day = floor<days>(moment);
    const year_month_day date(day);
    const hh_mm_ss time(moment - day);
    std::string text = "0000-00-00T00:00:00.000Z";  // C's functions look for a locale's words, which takes ten times as long
    const auto write = [&text](std::size_t end, std::int64_t number) {
        for (; number > 0; number /= 10) text[--end] = static_cast<char>('0' + number % 10);
    };
    write(4, int(date.year()));
    write(7, unsigned(date.month()));
    write(10, unsigned(date.day()));
    write(13, time.hours().count());
    write(16, time.minutes().count());
    write(19, time.seconds().count());
    write(23, time.subseconds().count());
    return text;
}

}  // namespace millrace
