// Whose database a folder holds, and in which version of the format (FORMAT.md).
//
// Called once, right after Kv::open() and before anything else is written.
#pragma once
#include <string_view>

#include "core/result.h"
#include "state/kv.h"

namespace millrace::state {

// 2: objects have other places in the cluster than in 1 (core/placement.h, placement_key).
inline constexpr std::uint32_t kStoreFormat = 2;

// kind: "target" or "proxy". A new store is claimed for that kind. A folder of the other kind is Code::conflict, one
// from a newer or an older millrace Code::unsupported_version, an unreadable record Code::corrupt; nothing is changed then.
Result<void> check_format(Kv& kv, FamilyIndex meta_family, std::string_view kind);

}  // namespace millrace::state
