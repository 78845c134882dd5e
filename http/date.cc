#include "http/date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

namespace millrace::http {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int kYearsAheadMax = 50;

std::string padded(unsigned number, std::size_t width) {
    const std::string text = std::to_string(number);
    return std::string(width - std::min(width, text.size()), '0') + text;
}

int year_of(std::int64_t unix_seconds) {
    const chrono::sys_seconds at{chrono::seconds(unix_seconds)};
    return static_cast<int>(chrono::year_month_day(chrono::floor<chrono::days>(at)).year());
}

// Takes a date off the front, piece by piece; from the first piece that is not there on, nothing fits any more.
class Pieces {
public:
    explicit Pieces(std::string_view text) : rest_(text) {}

    void skip(std::string_view wanted) {
        fits_ = fits_ && rest_.starts_with(wanted);
        if (fits_) rest_.remove_prefix(wanted.size());
    }
    unsigned number(std::size_t width) {
        unsigned value = 0;
        for (std::size_t i = 0; i < width; ++i) {
            fits_ = fits_ && i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9';
            if (fits_) value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
        }
        if (fits_) rest_.remove_prefix(width);
        return value;
    }
    unsigned padded_number() {
        if (!rest_.starts_with(' ')) return number(2);
        skip(" ");
        return number(1);
    }
    // Which of the words it is, from 1 on.
    unsigned word(std::span<const std::string_view> words) {
        const auto found = std::ranges::find_if(words, [this](std::string_view word) { return rest_.starts_with(word); });
        fits_ = fits_ && found != words.end();
        if (!fits_) return 0;
        rest_.remove_prefix(found->size());
        return static_cast<unsigned>(found - words.begin()) + 1;
    }
    bool fit() const { return fits_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool fits_ = true;
};

struct Parts {
    int year = 0;
    unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void take_time(Pieces& pieces, Parts& parts) {
    parts.hour = pieces.number(2);
    pieces.skip(":");
    parts.minute = pieces.number(2);
    pieces.skip(":");
    parts.second = pieces.number(2);
}

std::optional<Parts> take_usual(std::string_view text) {
    Pieces pieces(text);
    Parts parts;
    (void)pieces.word(kDays);
    pieces.skip(", ");
    parts.day = pieces.number(2);
    pieces.skip(" ");
    parts.month = pieces.word(kMonths);
    pieces.skip(" ");
    parts.year = static_cast<int>(pieces.number(4));
    pieces.skip(" ");
    take_time(pieces, parts);
    pieces.skip(" GMT");
    return pieces.fit() ? std::optional(parts) : std::nullopt;
}

std::optional<Parts> take_with_short_year(std::string_view text, std::int64_t now_unix_seconds) {
    Pieces pieces(text);
    Parts parts;
    (void)pieces.word(kLongDays);
    pieces.skip(", ");
    parts.day = pieces.number(2);
    pieces.skip("-");
    parts.month = pieces.word(kMonths);
    pieces.skip("-");
    const int this_year = year_of(now_unix_seconds);
    parts.year = this_year - this_year % 100 + static_cast<int>(pieces.number(2));
    while (parts.year > this_year + kYearsAheadMax) parts.year -= 100;
    pieces.skip(" ");
    take_time(pieces, parts);
    pieces.skip(" GMT");
    return pieces.fit() ? std::optional(parts) : std::nullopt;
}

std::optional<Parts> take_of_asctime(std::string_view text) {
    Pieces pieces(text);
    Parts parts;
    (void)pieces.word(kDays);
    pieces.skip(" ");
    parts.month = pieces.word(kMonths);
    pieces.skip(" ");
    parts.day = pieces.padded_number();
    pieces.skip(" ");
    take_time(pieces, parts);
    pieces.skip(" ");
    parts.year = static_cast<int>(pieces.number(4));
    return pieces.fit() ? std::optional(parts) : std::nullopt;
}

std::optional<std::int64_t> seconds_of(const Parts& parts) {
    const chrono::year_month_day date{chrono::year(parts.year), chrono::month(parts.month), chrono::day(parts.day)};
    if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
    const chrono::sys_seconds at = chrono::sys_days(date) + chrono::hours(parts.hour) + chrono::minutes(parts.minute) + chrono::seconds(parts.second);
    return at.time_since_epoch().count();
}

}  // namespace

std::string date_text(std::int64_t unix_seconds) {
    const chrono::sys_seconds at{chrono::seconds(unix_seconds)};
    const chrono::sys_days day = chrono::floor<chrono::days>(at);
    const chrono::year_month_day date(day);
    const auto second_of_day = static_cast<unsigned>((at - day).count());
    std::string text(kDays[chrono::weekday(day).c_encoding()]);
    text += ", " + padded(static_cast<unsigned>(date.day()), 2) + " ";
    text += kMonths[static_cast<unsigned>(date.month()) - 1];
    text += " " + padded(static_cast<unsigned>(static_cast<int>(date.year())), 4) + " " + padded(second_of_day / 3600, 2) + ":" +
            padded(second_of_day / 60 % 60, 2) + ":" + padded(second_of_day % 60, 2) + " GMT";
    return text;
}

std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now_unix_seconds) {
    std::optional<Parts> parts = take_usual(text);
    if (!parts) parts = take_with_short_year(text, now_unix_seconds);
    if (!parts) parts = take_of_asctime(text);
    return parts ? seconds_of(*parts) : std::nullopt;
}

}  // namespace millrace::http
