// The column families of a target's and of a proxy's database, in the order in which the code numbers them. Names are on
// disk and never change; new families go to the end.
#pragma once
#include <vector>

#include "state/kv.h"

namespace millrace::state {

namespace target_family {
inline constexpr FamilyIndex meta = 0;
inline constexpr FamilyIndex buckets = 1;
inline constexpr FamilyIndex objects = 2;
inline constexpr FamilyIndex bodies = 3;
inline constexpr FamilyIndex slices = 4;
inline constexpr FamilyIndex ledger = 5;
}  // namespace target_family

namespace proxy_family {
inline constexpr FamilyIndex meta = 0;
inline constexpr FamilyIndex jobs = 1;
inline constexpr FamilyIndex catalog = 2;
}  // namespace proxy_family

// RocksDB requires a family of the name "default"; it holds the metadata of the store itself.
inline std::vector<FamilyOptions> target_families() {
    return {{"default"}, {"buckets"}, {"objects"}, {.name = "bodies", .blobs = true}, {"slices"}, {"ledger"}};
}

inline std::vector<FamilyOptions> proxy_families() { return {{"default"}, {"jobs"}, {"catalog"}}; }

}  // namespace millrace::state
