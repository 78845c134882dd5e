#include "core/placement.h"

#include "core/check.h"
#include "core/hash.h"

namespace millrace {
namespace {

std::uint64_t seed_of(const TargetId& target) { return xxh64(target.str()); }

// seed: of the target with that position.
template <class Seed>
const TargetId* heaviest(std::string_view object_name, std::span<const TargetId> targets, Seed seed) {
    const std::string_view key = placement_key(object_name);
    const TargetId* best = nullptr;
    std::uint64_t best_weight = 0;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::uint64_t weight = xxh64(key, seed(i));
        if (best == nullptr || weight > best_weight || (weight == best_weight && targets[i] < *best)) {
            best = &targets[i];
            best_weight = weight;
        }
    }
    return best;
}

}  // namespace

bool is_extension(std::string_view part) {
    constexpr std::size_t kExtensionBytesMax = 16;
    constexpr std::size_t kExtensionDigitsMax = 3;
    if (part.size() > kExtensionBytesMax) return false;
    std::size_t digits = 0;
    bool has_letter = false;
    char before = 0;
    for (std::size_t i = 0; i < part.size(); ++i) {
        const char c = part[i];
        const bool digit = c >= '0' && c <= '9';
        const bool pads = c == '0' && !(before >= '0' && before <= '9') && i + 1 < part.size() && part[i + 1] >= '0' && part[i + 1] <= '9';
        if (pads) return false;
        digits += digit;
        has_letter = has_letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
        before = c;
    }
    return has_letter && digits <= kExtensionDigitsMax;
}

std::string_view placement_key(std::string_view object_name) {
    const std::size_t slash = object_name.rfind('/');
    const std::size_t component = slash == object_name.npos ? 0 : slash + 1;
    const std::size_t stem = object_name.find_first_not_of('.', component);
    if (stem == object_name.npos) return object_name;
    std::string_view key = object_name;
    for (;;) {
        const std::size_t dot = key.rfind('.');
        if (dot == key.npos || dot < stem || !is_extension(key.substr(dot + 1))) return key;
        key = key.substr(0, dot);
    }
}

const TargetId& owner_of(std::string_view object_name, std::span<const TargetId> targets) {
    MILLRACE_CHECK(!targets.empty());
    return *heaviest(object_name, targets, [&](std::size_t i) { return seed_of(targets[i]); });
}

Placement::Placement(std::uint64_t epoch, std::vector<TargetId> targets) {
    auto map = std::make_shared<Map>();
    map->epoch = epoch;
    for (const TargetId& target : targets) map->seeds.push_back(seed_of(target));
    map->targets = std::move(targets);
    map_ = std::move(map);
}

const TargetId* Placement::owner(std::string_view object_name) const {
    if (!map_) return nullptr;
    return heaviest(object_name, map_->targets, [this](std::size_t i) { return map_->seeds[i]; });
}

bool operator==(const Placement& a, const Placement& b) {
    if (a.map_ == b.map_) return true;
    const std::vector<TargetId> none;
    return a.epoch() == b.epoch() && (a.map_ ? a.map_->targets : none) == (b.map_ ? b.map_->targets : none);
}

}  // namespace millrace
