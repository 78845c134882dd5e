// Who owns an object: rendezvous hashing over the targets of the cluster map. Pure.
#pragma once
#include <span>
#include <string_view>

#include "core/ids.h"

namespace millrace {

// The object name up to the first dot of its last path component, dots at that component's start not counted; the whole
// name if there is no such dot. An extension map therefore never changes the key.
std::string_view placement_key(std::string_view object_name);

// The target with the greatest xxh64(key, seed = xxh64(target id)); ties go to the smaller id. Requires targets.
const TargetId& owner_of(std::string_view object_name, std::span<const TargetId> targets);

}  // namespace millrace
