// Who owns an object: rendezvous hashing over the targets of the cluster map. Pure.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/ids.h"

namespace millrace {

// Whether a part of a name after a dot says what the object is ("flac", "7z", "h264"), and not which one it is ("0001", "v017",
// "2024-01-15", a hash): of at most 16 bytes, with a letter, at most three digits and no number that begins with a zero.
bool is_extension(std::string_view part);

// The object name without the extensions at the end of its last path component; dots at that component's start begin none. So
// "clip7.seg.json" and "clip7.jpg" have one key, and "seq.0001.exr" and "seq.0002.exr" have two.
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
