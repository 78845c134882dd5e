#include "aistore/time_layout.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <tuple>

#include "core/whole_number.h"

namespace millrace::aistore {
namespace {

constexpr std::array<std::string_view, 12> kMonthNames{"January", "February", "March",     "April",   "May",      "June",
                                                       "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDayNames{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct Moment {
    int year, month, day, hour, minute, second;
    std::string fraction;  // digits of the second, nine of them
    int weekday, day_of_year;
};

std::optional<Moment> parse_moment(std::string_view text) {
    if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[10] != 'T') return std::nullopt;
    Moment moment{};
    for (const auto& [out, from, length] : {std::tuple(&moment.year, 0, 4), std::tuple(&moment.month, 5, 2), std::tuple(&moment.day, 8, 2),
                                            std::tuple(&moment.hour, 11, 2), std::tuple(&moment.minute, 14, 2), std::tuple(&moment.second, 17, 2)}) {
        const auto number = parse_whole<int>(text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(length)));
        if (!number) return std::nullopt;
        *out = *number;
    }
    if (text[19] == '.') moment.fraction = text.substr(20, text.size() - 21);
    moment.fraction.resize(9, '0');
    const std::chrono::year_month_day date{std::chrono::year(moment.year), std::chrono::month(static_cast<unsigned>(moment.month)),
                                           std::chrono::day(static_cast<unsigned>(moment.day))};
    if (!date.ok()) return std::nullopt;
    const std::chrono::sys_days day(date);
    moment.weekday = static_cast<int>(std::chrono::weekday(day).c_encoding());
    moment.day_of_year = static_cast<int>((day - std::chrono::sys_days(date.year() / std::chrono::January / 1)).count()) + 1;
    return moment;
}

std::string padded(int number, int width, char with = '0') {
    std::string digits = std::to_string(number);
    if (digits.size() < static_cast<std::size_t>(width)) digits.insert(0, static_cast<std::size_t>(width) - digits.size(), with);
    return digits;
}

// Which part of a time a word of a layout stands for. Longer words come first where one begins with another.
constexpr std::array<std::string_view, 30> kWords{"January", "Jan", "Monday", "Mon", "MST", "002", "2006", "_2", "01", "02", "03", "04", "05", "06", "15", "PM",
                                                  "pm", "Z07:00", "Z0700", "-07:00", "-0700", "-07", "Z07", "1", "2", "3", "4", "5", ".0", ".9"};

std::string word_of(const Moment& moment, std::string_view word) {
    const auto month = static_cast<std::size_t>(moment.month - 1);
    const auto weekday = static_cast<std::size_t>(moment.weekday);
    const int hour_of_12 = moment.hour % 12 == 0 ? 12 : moment.hour % 12;
    if (word == "January") return std::string(kMonthNames[month]);
    if (word == "Jan") return std::string(kMonthNames[month].substr(0, 3));
    if (word == "Monday") return std::string(kDayNames[weekday]);
    if (word == "Mon") return std::string(kDayNames[weekday].substr(0, 3));
    if (word == "MST") return "UTC";
    if (word == "2006") return padded(moment.year, 4);
    if (word == "06") return padded(moment.year % 100, 2);
    if (word == "01" || word == "1") return padded(moment.month, static_cast<int>(word.size()));
    if (word == "02" || word == "2") return padded(moment.day, static_cast<int>(word.size()));
    if (word == "_2") return padded(moment.day, 2, ' ');
    if (word == "002") return padded(moment.day_of_year, 3);
    if (word == "15") return padded(moment.hour, 2);
    if (word == "03" || word == "3") return padded(hour_of_12, static_cast<int>(word.size()));
    if (word == "04" || word == "4") return padded(moment.minute, static_cast<int>(word.size()));
    if (word == "05" || word == "5") return padded(moment.second, static_cast<int>(word.size()));
    if (word == "PM") return moment.hour < 12 ? "AM" : "PM";
    if (word == "pm") return moment.hour < 12 ? "am" : "pm";
    if (word.starts_with('Z')) return "Z";
    return word == "-07:00" ? "+00:00" : word == "-0700" ? "+0000" : "+00";
}

// ".000" is a fraction of three digits, ".999" one without zeros at its end, and without its point where nothing is left.
std::string fraction_of(const Moment& moment, std::string_view word) {
    std::string digits = moment.fraction.substr(0, word.size() - 1);
    if (word[1] == '9') digits.erase(digits.find_last_not_of('0') + 1);
    return digits.empty() ? digits : "." + digits;
}

}  // namespace

std::string in_layout(std::string_view rfc3339, std::string_view layout) {
    const auto moment = parse_moment(rfc3339);
    std::string text;
    if (!moment) return text;
    while (!layout.empty()) {
        std::string_view found;
        for (const std::string_view word : kWords) {
            if (found.empty() && layout.starts_with(word)) found = word;
        }
        if (found.starts_with('.')) {
            const std::size_t end = std::min(layout.find_first_not_of(found[1], 1), layout.size());
            found = layout.substr(0, std::min<std::size_t>(end, 10));
            text += fraction_of(*moment, found);
        } else if (!found.empty()) {
            text += word_of(*moment, found);
        }
        if (found.empty()) text += layout.front();
        layout.remove_prefix(std::max<std::size_t>(found.size(), 1));
    }
    return text;
}

}  // namespace millrace::aistore
