#include "worker/places.h"

namespace millrace::worker {

std::vector<bool> share_places(const std::vector<PlaceClaim>& claims, std::size_t places) {
    std::vector<bool> shared(claims.size(), false);
    const auto serve = [&](bool is_stalled, bool has_place) {
        for (std::size_t i = 0; i < claims.size() && places > 0; ++i) {
            const PlaceClaim& claim = claims[i];
            if (!claim.wants_place || claim.is_stalled != is_stalled || claim.has_place != has_place) continue;
            shared[i] = true;
            --places;
        }
    };
    for (const bool is_stalled : {false, true}) {
        for (const bool has_place : {true, false}) serve(is_stalled, has_place);
    }
    return shared;
}

}  // namespace millrace::worker
