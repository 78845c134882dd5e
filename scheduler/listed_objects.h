// The objects that a job names: shared out once to the targets that own them, and cut into parts that travel one by one, so that
// neither a message nor the work for a target grows with the list. Pure; making one takes long for a long list.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/placement.h"

namespace millrace::scheduler {

inline constexpr std::size_t kPartBytesMax = 1 << 20;

class ListedObjects {
public:
    ListedObjects() = default;
    // names: sorted, each once. The placement has targets, unless there are no names.
    ListedObjects(std::vector<std::string> names, const Placement& placement, std::size_t part_bytes_max = kPartBytesMax);

    const std::vector<std::string>& names() const { return names_; }
    // At least one, also for a target that owns none of them.
    std::uint32_t parts(const std::string& target) const;
    // Sorted; none where there is no such part.
    std::vector<std::string> part(const std::string& target, std::uint32_t number) const;

private:
    struct Share {
        std::vector<std::uint32_t> members;  // positions in names_
        std::vector<std::size_t> ends;       // of the parts, in members
        std::size_t open_bytes = 0;          // of the part that is being filled
    };

    std::vector<std::string> names_;
    std::map<std::string, Share> shares_;
};

}  // namespace millrace::scheduler
