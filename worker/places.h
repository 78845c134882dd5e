// Who of a target's slices may run: those that came first, of those that can. Pure.
#pragma once
#include <cstddef>
#include <vector>

namespace millrace::worker {

struct PlaceClaim {
    bool has_place = false;
    bool wants_place = false;
    bool is_stalled = false;  // met an obstacle that is not its objects' fault; it tries one object now and then without a place, too
    bool operator==(const PlaceClaim&) const = default;
};

// claims: in order of arrival. Whether each has a place from now on. Who has one and can use it keeps it; then others get theirs in
// order; what is left goes to those that are stalled, so that they give their places away, but not to nobody.
std::vector<bool> share_places(const std::vector<PlaceClaim>& claims, std::size_t places);

}  // namespace millrace::worker
