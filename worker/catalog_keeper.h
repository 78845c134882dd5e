// Brings the buckets and transforms of a target to what the proxy's catalog says, as worker/catalog_plan.h has it: the store's part on the
// blocking pool, one catalog after the other. What could not be applied is named to the proxy and tried again, more and more rarely.
// Control loop only.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "core/loop.h"
#include "store/object_store.h"
#include "worker/catalog_plan.h"
#include "worker/target_state.h"

namespace millrace::worker {

class CatalogKeeper {
public:
    struct Handlers {
        std::function<void(const std::vector<wire::TransformEntry>&)> transforms;  // that should run
        std::function<void()> applied;                                             // a catalog, as far as it could be
    };

    CatalogKeeper(Loop& control, BlockingPool& blocking, store::ObjectStore& store, TargetState& state, Handlers handlers);
    ~CatalogKeeper();  // requires stop()

    // Goes on with what could not be applied before this process.
    void start();
    // A newer catalog than the one that is known.
    void take(const wire::Catalog& catalog);
    const std::vector<wire::CatalogProblem>& problems() const { return problems_; }
    // Waits for what it is in the middle of.
    Task<void> stop();

private:
    Task<void> run();
    Task<void> apply(wire::Catalog wanted);
    Task<Result<void>> carry_out(CatalogPlan& plan);
    void clear_away(CatalogPlan& plan);
    void create(CatalogPlan& plan, const std::vector<wire::BucketEntry>& buckets);

    BlockingPool& blocking_;
    store::ObjectStore& store_;
    TargetState& state_;
    const Handlers handlers_;
    std::vector<wire::CatalogProblem> problems_;
    std::optional<wire::Catalog> next_;  // that came while another was applied
    std::uint64_t applying_ = 0;         // its version
    Duration pause_{};
    Instant next_try_ = Instant::max();
    bool stopping_ = false;
    TaskGroup tasks_;
    Event woken_;
};

}  // namespace millrace::worker
