#include "wire/lineage.h"

#include <algorithm>

namespace millrace::wire {
namespace {


std::string numbers(const Lineage& lineage) {
    return "start " + std::to_string(lineage.generation) + ", " + std::to_string(lineage.age) + " changes";
}

}  // namespace

Result<void> Lineage::validate() const {
    const auto too_long = [](const std::string& id) { return id.size() > kIdBytesMax; };
    if (too_long(store_id) || too_long(boot_id) || branches.size() > kBranchesMax || std::ranges::any_of(branches, too_long)) {
        return fail(Code::invalid_argument, "a lineage is not one");
    }
    return {};
}

OwnLineage next_start(OwnLineage last, std::uint64_t age_at_opening) {
    if (!last.met) return last;
    ++last.generation;
    last.age = age_at_opening;
    last.met = false;
    return last;
}

Kinship compare(const Lineage& known, const Lineage& comes) {
    if (known.store_id.empty() || comes.store_id.empty()) return Kinship::same;
    if (known.store_id != comes.store_id) return Kinship::other_folder;
    if (known.boot_id == comes.boot_id) return Kinship::same;
    const std::string branch = known.branches.empty() ? "" : known.branches.back();
    const std::string its_branch = comes.branches.empty() ? "" : comes.branches.back();
    if (branch != its_branch) {
        const bool grew_from_it = branch.empty() || std::ranges::find(comes.branches, branch) != comes.branches.end();
        return grew_from_it ? Kinship::same : Kinship::other_branch;
    }
    if (comes.generation < known.generation || comes.age < known.age) return Kinship::older_copy;
    return comes.generation == known.generation ? Kinship::twin : Kinship::same;
}

std::string describe(Kinship kinship, const std::string& it, const Lineage& known, const Lineage& comes) {
    switch (kinship) {
        case Kinship::same: return "";
        case Kinship::other_folder:
            return it + " runs from another folder (" + comes.store_id + ") than the one that is known (" + known.store_id +
                   "), such as an empty one in its place";
        case Kinship::older_copy:
            return it + " runs from an older copy of its folder (" + numbers(comes) + "; known is " + numbers(known) + ")";
        case Kinship::twin: return it + " runs from a copy of its folder that another process was started from, too (" + numbers(known) + ")";
        case Kinship::other_branch: return it + " runs from a copy of its folder in whose place another one was accepted";
    }
    return "";
}

void add_branch(std::vector<std::string>& branches, std::string branch) {
    if (branches.size() >= kBranchesMax) branches.erase(branches.begin());
    branches.push_back(std::move(branch));
}

}  // namespace millrace::wire
