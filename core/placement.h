// Who owns an object: rendezvous hashing over the targets of the cluster map. Pure.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/ids.h"

namespace millrace {

// The object name up to the first dot of its last path component, dots at that component's start not counted; the whole
// name if there is no such dot. An extension map therefore never changes the key.
std::string_view placement_key(std::string_view object_name);

// The target with the greatest xxh64(key, seed = xxh64(target id)); ties go to the smaller id. Requires targets.
const TargetId& owner_of(std::string_view object_name, std::span<const TargetId> targets);

// Which targets share the objects, as of one version of the cluster map. A value: it never changes, and copies cost next to nothing. What
// computes the owners of several names, or goes on after a wait, does it with one of these, not with whatever is the newest each time.
class Placement {
public:
    Placement() = default;  // of no targets
    // epoch: the version of the map; 0 where it is not known.
    Placement(std::uint64_t epoch, std::vector<TargetId> targets);

    std::uint64_t epoch() const { return map_ ? map_->epoch : 0; }
    // As owner_of(); null when there are no targets. Valid as long as any copy of this value.
    const TargetId* owner(std::string_view object_name) const;
    bool empty() const { return !map_ || map_->targets.empty(); }
    friend bool operator==(const Placement& a, const Placement& b);

private:
    struct Map {
        std::uint64_t epoch = 0;
        std::vector<TargetId> targets;
        std::vector<std::uint64_t> seeds;  // of the targets
    };
    std::shared_ptr<const Map> map_;
};

}  // namespace millrace
