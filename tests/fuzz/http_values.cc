// What stands in headers and request lines: byte ranges, endpoints, URLs, query strings, percent-encoding, problem documents.
#include <cstring>

#include "core/base64.h"
#include "core/check.h"
#include "core/uri.h"
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

void try_base64(std::string_view bytes) {
    const auto back = base64_decode(base64_encode(bytes));
    MILLRACE_CHECK(back && *back == bytes);
    // No two texts mean the same.
    if (const auto decoded = base64_decode(bytes)) MILLRACE_CHECK(base64_encode(*decoded) == bytes);
}

}  // namespace

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 6) {
        case 0: return try_range(bytes);
        case 1: return try_query(bytes);
        case 2: return try_percent(bytes);
        case 3: return try_endpoint(bytes);
        case 4: return try_base64(bytes);
        default: (void)http::error_of_reply(500, bytes);
    }
}
