#include "state/node_clock.h"


#include "core/whole_number.h"

namespace millrace::state {
namespace {

constexpr std::string_view kKey = "node_clock";
constexpr std::int64_t kSaveEveryNs = 60'000'000'000;

}  // namespace

Result<NodeClock> NodeClock::open(Kv& kv, FamilyIndex family, std::int64_t start_unix_ns) {
    MILLRACE_TRY_ASSIGN(const std::optional<std::string> saved, kv.get(family, kKey));
    std::int64_t from = start_unix_ns;
    if (saved) {
        const auto number = parse_whole<std::int64_t>(*saved);
        if (!number) return fail(Code::corrupt, "the node's clock in its store is damaged: '" + *saved + "' is no number");
        from = *number;
    }
    NodeClock clock(kv, family, from);
    if (!saved) MILLRACE_TRY(clock.write(from));
    return clock;
}

NodeClock::NodeClock(NodeClock&& other) noexcept
    : kv_(other.kv_), family_(other.family_), from_ns_(other.from_ns_), began_(other.began_), saved_ns_(other.saved_ns_.load()) {}

std::int64_t NodeClock::now_ns() const {
    return from_ns_ + std::chrono::duration_cast<std::chrono::nanoseconds>(steady_now() - began_).count();
}

Result<void> NodeClock::save() {
    const std::int64_t now = now_ns();
    if (now - saved_ns_ < kSaveEveryNs) return {};
    return write(now);
}

Result<void> NodeClock::write(std::int64_t now_ns) {
    Batch batch;
    batch.put(family_, kKey, std::to_string(now_ns));
    MILLRACE_TRY(kv_.write(std::move(batch), false));
    saved_ns_ = now_ns;
    return {};
}

}  // namespace millrace::state
