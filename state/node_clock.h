// The time by which a node keeps what it keeps for a while. It advances while the node runs, and by nothing else: the machine's clock
// may jump either way, also while the node is away, and nothing goes early by that. It began as the time of day when the
// store was made, so that it reads like one; since then it has fallen behind by all the time that the node was away.
//
// Any thread, but save() by one at a time.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "core/clock.h"
#include "state/kv.h"

namespace millrace::state {

class NodeClock {
public:
    // Reads how far it had come. start_unix_ns: where a new one begins.
    static Result<NodeClock> open(Kv& kv, FamilyIndex family, std::int64_t start_unix_ns);
    NodeClock(NodeClock&& other) noexcept;

    std::int64_t now_ns() const;
    // Writes down how far it has come, if that is worth a write: at most once a minute. What was not is lost to a start, and so the time
    // of what is kept is longer by that.
    Result<void> save();

private:
    NodeClock(Kv& kv, FamilyIndex family, std::int64_t from_ns) : kv_(kv), family_(family), from_ns_(from_ns), saved_ns_(from_ns) {}
    Result<void> write(std::int64_t now_ns);

    Kv& kv_;
    const FamilyIndex family_;
    const std::int64_t from_ns_;
    const Instant began_ = steady_now();
    std::atomic<std::int64_t> saved_ns_;
};

}  // namespace millrace::state
