// Which process of which target took outputs of a slice that no checkpoint covers yet. A barrier asks each of those targets to make them
// durable; one that answers as another process may have lost what the first one took. So of several processes of a target the oldest counts.
//
// Pure; the slice's thread.
#pragma once
#include <map>
#include <string>
#include <utility>

namespace millrace::worker {

class RemoteOutputs {
public:
    using ByTarget = std::map<std::string, std::string>;  // target id, boot id

    // False: an older process of the target took some, too, which may be lost.
    bool took(const std::string& target, const std::string& boot_id) {
        const auto [known, is_first] = waiting_.try_emplace(target, boot_id);
        return is_first || known->second == boot_id;
    }
    // Those whose answers the barrier needs; what is taken from here on is for the next one.
    ByTarget begin_barrier() { return in_barrier_ = std::exchange(waiting_, {}); }
    // Not durable: the next one asks for them again.
    void end_barrier(bool durable) {
        for (auto& [target, boot_id] : std::exchange(in_barrier_, {})) {
            if (!durable) waiting_.insert_or_assign(target, std::move(boot_id));
        }
    }
    // What they were of runs again.
    void clear() { waiting_.clear(); }

private:
    ByTarget waiting_;
    ByTarget in_barrier_;
};

}  // namespace millrace::worker
