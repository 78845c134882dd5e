// Errors as values: Code, Error and Result<T>. Expected failures travel as Results; exceptions come only from libraries
// and are caught where the library is wrapped.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

// A code exists only if some caller acts on it differently. Numbers travel on the wire and are never reused.
enum class Code : int {
    invalid_argument = 1,
    not_found = 2,
    already_exists = 3,
    conflict = 4,           // the thing is in a state that does not allow this
    unavailable = 5,        // nobody answers there now; a later try may succeed
    timed_out = 6,
    overloaded = 7,         // a bound was reached; a later try may succeed
    no_space = 8,
    corrupt = 9,            // stored bytes are not what was written
    io = 10,
    cancelled = 11,
    stale_epoch = 12,       // the work belongs to an earlier run of the job
    rejected = 13,          // the transform said no to this object: trying again would not help
    crashed = 14,           // the transform died while it had the object
    transient = 15,         // the transform failed in a way that may pass
    incomplete_body = 16,   // fewer bytes arrived than were announced
    checksum_mismatch = 17,
    too_large = 18,
    unsupported_version = 19,
    permission = 20,
    range = 21,             // the byte range lies outside of the object
    internal = 23,          // 22 was another one
};

// Stable snake_case name, as in JSON and problem documents; "unknown" for a number from a newer peer.
std::string_view code_name(Code code);
// Whether the same request may succeed later without anybody changing it.
bool retryable(Code code);

struct Error {
    Code code = Code::internal;
    std::string context;  // what was tried, with names, and what to do about it

    // The same code, with what was being done put in front.
    Error during(std::string_view action) const { return {code, std::string(action) + ": " + context}; }
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
public:
    using std::expected<T, Error>::expected;
    Result(Error error) : std::expected<T, Error>(std::unexpected(std::move(error))) {}
    Result(Code code, std::string context) : Result(Error{code, std::move(context)}) {}
};

inline Error fail(Code code, std::string context) { return {code, std::move(context)}; }

// Error with the text of errno, mapped to a code, which says whose fault it is: no_space (ENOSPC, EDQUOT), not_found (ENOENT),
// permission (EACCES, EPERM, EROFS), too_large (EFBIG), overloaded where the node has no descriptor, memory or process left
// (EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN), else io.
Error errno_error(std::string_view action, int errno_value);

}  // namespace millrace

#define MILLRACE_CONCAT_(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_(a, b)
// MILLRACE_TRY(expr): returns its error. MILLRACE_TRY_ASSIGN(auto x, expr): else x = its value. CO_ forms for coroutines.
#define MILLRACE_TRY_IMPL(name, ret, ...)                        \
    do {                                                         \
        auto name = (__VA_ARGS__);                               \
        if (!name.has_value()) ret std::move(name).error();      \
    } while (false)
#define MILLRACE_TRY(...) MILLRACE_TRY_IMPL(MILLRACE_CONCAT(tried_, __LINE__), return, __VA_ARGS__)
#define MILLRACE_CO_TRY(...) MILLRACE_TRY_IMPL(MILLRACE_CONCAT(tried_, __LINE__), co_return, __VA_ARGS__)
#define MILLRACE_TRY_ASSIGN_IMPL(name, ret, decl, ...)           \
    auto name = (__VA_ARGS__);                                   \
    if (!name.has_value()) ret std::move(name).error();          \
    decl = std::move(*name)
#define MILLRACE_TRY_ASSIGN(decl, ...) \
    MILLRACE_TRY_ASSIGN_IMPL(MILLRACE_CONCAT(tried_, __LINE__), return, decl, __VA_ARGS__)
#define MILLRACE_CO_TRY_ASSIGN(decl, ...) \
    MILLRACE_TRY_ASSIGN_IMPL(MILLRACE_CONCAT(tried_, __LINE__), co_return, decl, __VA_ARGS__)
