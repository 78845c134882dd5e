#include "worker/object_gate.h"

#include "core/names.h"

namespace millrace::worker {

Result<std::optional<TargetId>> ObjectGate::elsewhere(const std::string& name) const {
    MILLRACE_TRY(validate_object_name(name));
    MILLRACE_TRY_ASSIGN(const Placement placement, cluster_.placement());
    const TargetId& owner = *placement.owner(name);
    return owner == cluster_.self() ? std::optional<TargetId>() : std::optional(owner);
}

Result<void> ObjectGate::owns(const std::string& name) const {
    MILLRACE_TRY_ASSIGN(const std::optional<TargetId> owner, elsewhere(name));
    if (!owner) return {};
    return fail(Code::unavailable, "object '" + name + "' belongs to target " + owner->str() + ", not to " + cluster_.self().str() + "; try again");
}

Result<void> ObjectGate::may_change(const std::string& name) const {
    MILLRACE_TRY(owns(name));
    const Result<void> allowed = cluster_.may_change();
    if (!allowed) return fail(Code::conflict, allowed.error().context);
    return {};
}

}  // namespace millrace::worker
