// Brings the buckets and transforms of a target to what the proxy's catalog says, entry by entry: one that cannot be applied is named to the
// proxy and tried again, more and more rarely, and holds up no other. Control loop only.
//
// Buckets go only when the catalog says that this very bucket was destroyed; data is never removed because an entry is missing. A bucket that
// the catalog does not know any more (of a folder from an older copy) makes way for one of its name, and is kept under another.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "store/object_store.h"
#include "worker/target_state.h"

namespace millrace::worker {

class CatalogKeeper {
public:
    using ApplyTransforms = std::function<void(const std::vector<wire::TransformEntry>&)>;

    CatalogKeeper(store::ObjectStore& store, TargetState& state, ApplyTransforms transforms);

    // A newer catalog than the one that is known.
    void take(const wire::Catalog& catalog, Instant now);
    // Tries again what could not be applied, when it is time. True when the problems changed.
    bool tick(Instant now);
    const std::vector<wire::CatalogProblem>& problems() const { return problems_; }

private:
    // What was known, and becomes what is there.
    struct Change {
        const wire::Catalog& wanted;
        wire::Catalog known;
        std::vector<wire::CatalogProblem> problems;
    };
    bool apply(const wire::Catalog& wanted, Instant now);
    void destroy(Change& change);
    void rename(Change& change);
    void create(Change& change, const wire::BucketEntry& bucket);

    store::ObjectStore& store_;
    TargetState& state_;
    ApplyTransforms transforms_;
    std::vector<wire::CatalogProblem> problems_;
    Duration pause_{};
    Instant next_try_ = Instant::max();
};

}  // namespace millrace::worker
