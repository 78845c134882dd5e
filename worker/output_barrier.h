// What the outputs on other targets mean for a slice's checkpoints. Outputs that no checkpoint covers yet are in the memory of the process of
// the target that took them. A barrier asks each of those targets to make them durable; one that answers as another process may have lost
// what the first one took, and the slice goes back to its last checkpoint. So of several processes of a target the oldest counts.
//
// Pure; the slice's thread.
#pragma once
#include <map>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/result.h"

namespace millrace::worker {

class OutputBarrier {
public:
    using ByTarget = std::map<std::string, std::string>;  // target id, boot id of the process that took some

    void took(const std::string& target, const std::string& boot_id) {
        const auto [known, is_first] = waiting_.try_emplace(target, boot_id);
        if (!is_first && known->second != boot_id) must_rewind_ = true;
    }
    // Those whose answers the barrier needs; what is taken from here on is for the next one. One barrier at a time.
    ByTarget begin() {
        MILLRACE_CHECK(in_barrier_.empty());
        in_barrier_ = std::exchange(waiting_, {});
        return in_barrier_;
    }
    // Asked for in this barrier, the target has made everything durable that this process of it has. Code::unavailable when that is another
    // process than the one that took the outputs.
    Result<void> answered(const std::string& target, const std::string& boot_id) {
        if (in_barrier_.at(target) == boot_id) return {};
        must_rewind_ = true;
        return fail(Code::unavailable, "target " + target + " was restarted before it had synced; running again what it may have lost");
    }
    // Not durable: the next one asks for them again.
    void end(bool durable) {
        for (auto& [target, boot_id] : std::exchange(in_barrier_, {})) {
            if (!durable) waiting_.insert_or_assign(target, std::move(boot_id));
        }
    }

    // Outputs since the last checkpoint may be lost: until the slice has gone back there, nothing more is started.
    bool must_rewind() const { return must_rewind_; }
    // What the outputs were of runs again. Requires that no barrier is under way.
    void rewound() {
        MILLRACE_CHECK(in_barrier_.empty());
        waiting_.clear();
        must_rewind_ = false;
    }

private:
    ByTarget waiting_;
    ByTarget in_barrier_;
    bool must_rewind_ = false;
};

}  // namespace millrace::worker
