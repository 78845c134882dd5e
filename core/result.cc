#include "core/result.h"

#include <cerrno>
#include <cstring>

namespace millrace {

std::string_view code_name(Code code) {
    switch (code) {
        case Code::invalid_argument: return "invalid_argument";
        case Code::not_found: return "not_found";
        case Code::already_exists: return "already_exists";
        case Code::conflict: return "conflict";
        case Code::unavailable: return "unavailable";
        case Code::timed_out: return "timed_out";
        case Code::overloaded: return "overloaded";
        case Code::no_space: return "no_space";
        case Code::corrupt: return "corrupt";
        case Code::io: return "io";
        case Code::cancelled: return "cancelled";
        case Code::stale_epoch: return "stale_epoch";
        case Code::rejected: return "rejected";
        case Code::crashed: return "crashed";
        case Code::transient: return "transient";
        case Code::incomplete_body: return "incomplete_body";
        case Code::checksum_mismatch: return "checksum_mismatch";
        case Code::too_large: return "too_large";
        case Code::unsupported_version: return "unsupported_version";
        case Code::permission: return "permission";
        case Code::range: return "range";
        case Code::internal: return "internal";
    }
    return "unknown";
}

bool retryable(Code code) {
    switch (code) {
        case Code::unavailable:
        case Code::timed_out:
        case Code::overloaded:
        case Code::transient:
        case Code::incomplete_body: return true;
        default: return false;
    }
}

Error errno_error(std::string_view action, int errno_value) {
    Code code = Code::io;
    switch (errno_value) {
        case ENOSPC:
        case EDQUOT: code = Code::no_space; break;
        case ENOENT: code = Code::not_found; break;
        case EACCES:
        case EPERM:
        case EROFS: code = Code::permission; break;
        case EFBIG: code = Code::too_large; break;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS:
        case EAGAIN: code = Code::overloaded; break;
        default: break;
    }
    return {code, std::string(action) + ": " + std::strerror(errno_value)};
}

}  // namespace millrace
