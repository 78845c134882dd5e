// What stands in headers and request lines: byte ranges, conditions, dates, endpoints, URLs, query strings, percent-encoding, problem documents.
#include <cstring>

#include "core/base64.h"
#include "core/check.h"
#include "core/uri.h"
#include "http/conditions.h"
#include "http/date.h"
#include "http/message.h"
#include "http/problem.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

void try_range(std::string_view bytes) {
    std::uint64_t size = 0;
    if (bytes.size() < sizeof size) return;
    std::memcpy(&size, bytes.data(), sizeof size);
    const auto range = http::parse_range(bytes.substr(sizeof size), size);
    if (!range || !*range) return;
    MILLRACE_CHECK((*range)->length > 0 && (*range)->offset < size && (*range)->length <= size - (*range)->offset);
}

void try_query(std::string_view bytes) {
    const auto query = Query::parse(bytes);
    if (!query) return;
    const auto again = Query::parse(query->text());
    MILLRACE_CHECK(again && again->items() == query->items());
}

void try_percent(std::string_view bytes) {
    const auto back = percent_decode(percent_encode(bytes));
    MILLRACE_CHECK(back && *back == bytes);
    const auto path = percent_decode(encode_object_path(bytes));
    MILLRACE_CHECK(path && *path == bytes);
    (void)percent_decode(bytes);
}

void try_endpoint(std::string_view bytes) {
    if (const auto endpoint = http::Endpoint::parse(bytes)) {
        const auto again = http::Endpoint::parse(endpoint->text());
        MILLRACE_CHECK(again && *again == *endpoint);
    }
    (void)http::Url::parse(bytes);
}

void try_date(std::string_view bytes) {
    constexpr std::int64_t kNow = 1'796'000'000;
    const auto seconds = http::parse_date(bytes, kNow);
    if (seconds) MILLRACE_CHECK(http::parse_date(http::date_text(*seconds), kNow) == seconds);
}

// What matches strongly matches weakly, too, so that the same list cannot let a change pass both ways.
void try_conditions(std::string_view bytes) {
    using Verdict = http::Conditions::Verdict;
    const std::string list(bytes);
    const http::Validators current{"\"a\"", 784'111'777};
    const auto verdict = [&](const char* header) { return http::Conditions(http::Headers{{header, list}}, 0).judge(&current, false).verdict; };
    MILLRACE_CHECK(verdict("If-Match") != Verdict::go_on || verdict("If-None-Match") == Verdict::failed);
    const bool wants_part = http::Conditions(http::Headers{{"If-Range", list}}, 0).wants_part_of(current);
    MILLRACE_CHECK(!wants_part || verdict("If-Match") == Verdict::go_on);
    (void)verdict("If-Unmodified-Since");
}

void try_base64(std::string_view bytes) {
    const auto back = base64_decode(base64_encode(bytes));
    MILLRACE_CHECK(back && *back == bytes);
    // No two texts mean the same.
    if (const auto decoded = base64_decode(bytes)) MILLRACE_CHECK(base64_encode(*decoded) == bytes);
}

}  // namespace

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 8) {
        case 0: return try_range(bytes);
        case 1: return try_query(bytes);
        case 2: return try_percent(bytes);
        case 3: return try_endpoint(bytes);
        case 4: return try_base64(bytes);
        case 6: return try_date(bytes);
        case 7: return try_conditions(bytes);
        default: (void)http::error_of_reply(500, bytes);
    }
}
