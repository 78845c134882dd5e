#include "auth/caller.h"

namespace millrace::auth {

Result<void> Caller::lacks(Right right, std::string_view where) const {
    return fail(Code::permission, subject_ + " may not " + std::string(right_name(right)) + std::string(where) + ": it takes a token with the grant " +
                                      std::string(right_name(right)) + ", see 'millrace auth issue'");
}

Result<void> Caller::check(Right right, std::string_view bucket) const {
    if (kind_ == Kind::sent || grants_.may(right, bucket)) return {};
    return lacks(right, " bucket " + std::string(bucket.substr(0, 100)));
}

Result<void> Caller::check_somewhere(Right right) const {
    if (kind_ == Kind::sent || grants_.may_somewhere(right)) return {};
    return lacks(right, "");
}

Result<void> Caller::check_everywhere(Right right) const {
    if (kind_ == Kind::sent || grants_.may_everywhere(right)) return {};
    return lacks(right, " every bucket");
}

const Caller& caller_of(const http::Request& request) {
    static const Caller kNobody = Caller::nobody();
    return request.caller ? *request.caller : kNobody;
}

}  // namespace millrace::auth
