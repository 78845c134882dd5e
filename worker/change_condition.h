// What a request demands of an object that it changes (http/conditions.h), decided by the store while nobody else can change it.
//
// Of one request, in one task.
#pragma once
#include "http/conditions.h"
#include "store/object_store.h"

namespace millrace::worker {

class ChangeCondition final : public store::Precondition {
public:
    explicit ChangeCondition(http::Conditions conditions) : conditions_(std::move(conditions)) {}
    // Null where nothing is demanded.
    ChangeCondition* if_any() { return conditions_.any() ? this : nullptr; }

    Result<void> check(const store::ObjectInfo* current) override;
    // It was this that refused the change: 412.
    bool has_refused() const { return has_refused_; }

private:
    const http::Conditions conditions_;
    bool has_refused_ = false;
};

}  // namespace millrace::worker
