#include "core/placement.h"

#include "core/check.h"
#include "core/hash.h"

namespace millrace {

std::string_view placement_key(std::string_view object_name) {
    const std::size_t slash = object_name.rfind('/');
    const std::size_t component = slash == object_name.npos ? 0 : slash + 1;
    const std::size_t first_letter = object_name.find_first_not_of('.', component);
    if (first_letter == object_name.npos) return object_name;
    return object_name.substr(0, object_name.find('.', first_letter));
}

const TargetId& owner_of(std::string_view object_name, std::span<const TargetId> targets) {
    MILLRACE_CHECK(!targets.empty());
    const std::string_view key = placement_key(object_name);
    const TargetId* best = nullptr;
    std::uint64_t best_weight = 0;
    for (const TargetId& target : targets) {
        const std::uint64_t weight = xxh64(key, xxh64(target.str()));
        if (best == nullptr || weight > best_weight || (weight == best_weight && target < *best)) {
            best = &target;
            best_weight = weight;
        }
    }
    return *best;
}

}  // namespace millrace
