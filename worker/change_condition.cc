#include "worker/change_condition.h"

#include "worker/object_headers.h"

namespace millrace::worker {

Result<void> ChangeCondition::check(const store::ObjectInfo* current) {
    std::optional<http::Validators> validators;
    if (current != nullptr) validators = validators_of(*current);
    const http::Conditions::Judgement judged = conditions_.judge(validators ? &*validators : nullptr, false);
    has_refused_ = judged.verdict == http::Conditions::Verdict::failed;
    if (!has_refused_) return {};
    return unfulfilled(judged.header);
}

}  // namespace millrace::worker
