#include "worker/lookback.h"

#include <set>

namespace millrace::worker {
namespace {

constexpr std::size_t kOutputsMax = 1000;
constexpr std::size_t kLedgerRowsMax = 10'000;
constexpr std::size_t kNamesPerFeed = 256;
constexpr int kFeedsMax = 64;

// Objects that failed have no output. Beyond `known_to` nothing is known of them.
struct Failed {
    std::set<std::string> names;
    std::optional<std::string> known_to;
};

Result<Failed> failed_objects(const SliceContext& slice, const state::SliceStore& slices) {
    MILLRACE_TRY_ASSIGN(const auto page, slices.ledger(slice.job, "", kLedgerRowsMax, UINT64_MAX));
    Failed failed;
    for (const auto& [name, row] : page.rows) failed.names.insert(name);
    if (!page.at_end && !page.rows.empty()) failed.known_to = page.rows.back().first;
    return failed;
}

Task<Result<bool>> is_lost(const SliceContext& slice, const std::string& output) {
    const auto found = co_await slice.sink->stat(output);
    if (!found && found.error().code != Code::not_found) co_return found.error();
    if (!found) co_return true;
    const bool is_ours = found->provenance && found->provenance->job == slice.job.str();
    co_return slice.spec.overwrite == wire::Overwrite::always && !is_ours;
}

}  // namespace

Task<Result<std::uint64_t>> count_lost_outputs(const SliceContext& slice, const Selection& selection, const state::SliceStore& slices,
                                               std::string settled_to) {
    MILLRACE_CO_TRY_ASSIGN(const Placement placement, slice.cluster.placement());
    MILLRACE_CO_TRY_ASSIGN(const Failed failed, failed_objects(slice, slices));
    FeedRequest request{.phase = Phase::main, .after = "", .up_to = settled_to, .pass_below = 0, .names_max = kNamesPerFeed};
    std::uint64_t lost = 0;
    std::size_t looked_at = 0;
    for (int feeds = 0; feeds < kFeedsMax; ++feeds) {
        MILLRACE_CO_TRY_ASSIGN(const Selection::Fed fed, co_await selection.feed(request));
        for (const FedObject& object : fed.objects) {
            const bool is_beyond = (!settled_to.empty() && object.name > settled_to) || (failed.known_to && object.name > *failed.known_to);
            if (is_beyond || looked_at == kOutputsMax) co_return lost;
            const std::string output = slice.rename.apply(object.name);
            if (failed.names.contains(object.name) || *placement.owner(output) != slice.cluster.self()) continue;
            ++looked_at;
            MILLRACE_CO_TRY_ASSIGN(const bool is_gone, co_await is_lost(slice, output));
            lost += is_gone ? 1 : 0;
        }
        if (fed.at_end) break;
        request.after = fed.scanned_to;
    }
    co_return lost;
}

}  // namespace millrace::worker
