#include "scheduler/listed_objects.h"

namespace millrace::scheduler {

ListedObjects::ListedObjects(std::vector<std::string> names, const Placement& placement, std::size_t part_bytes_max)
    : names_(std::move(names)) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
        Share& share = shares_[placement.owner(names_[i])->str()];
        if (share.open_bytes > 0 && share.open_bytes + names_[i].size() > part_bytes_max) {
            share.ends.push_back(share.members.size());
            share.open_bytes = 0;
        }
        share.members.push_back(static_cast<std::uint32_t>(i));
        share.open_bytes += names_[i].size();
    }
    for (auto& [target, share] : shares_) share.ends.push_back(share.members.size());
}

std::uint32_t ListedObjects::parts(const std::string& target) const {
    const auto share = shares_.find(target);
    return share == shares_.end() ? 1 : static_cast<std::uint32_t>(share->second.ends.size());
}

std::vector<std::string> ListedObjects::part(const std::string& target, std::uint32_t number) const {
    std::vector<std::string> objects;
    const auto found = shares_.find(target);
    if (found == shares_.end() || number >= found->second.ends.size()) return objects;
    const Share& share = found->second;
    for (std::size_t i = number == 0 ? 0 : share.ends[number - 1]; i < share.ends[number]; ++i) objects.push_back(names_[share.members[i]]);
    return objects;
}

}  // namespace millrace::scheduler
