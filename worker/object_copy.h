// Copies one object to another name, as it is or through a transform, on the target that owns the source. The destination may
// belong to another target, which then gets it streamed. Runs on the lane of the connection.
#pragma once
#include <optional>

#include "core/names.h"
#include "store/object_store.h"
#include "worker/cluster_view.h"
#include "worker/inline_transform.h"

namespace millrace::worker {

class ObjectCopy {
public:
    ObjectCopy(store::ObjectStore& store, const ClusterView& cluster, InlineTransform& inline_transform, bool sync_puts)
        : store_(store), cluster_(cluster), inline_(inline_transform), sync_puts_(sync_puts) {}

    // As it is, or through transforms. Custom metadata goes along with a plain copy. The destination appears whole or not at all.
    // condition: about the source; null: none.
    Task<Result<void>> run(ObjectUri source, ObjectUri destination, std::optional<TransformCall> through, store::Precondition* condition);

private:
    struct Copying {
        const ObjectUri source;
        const ObjectUri destination;
        const std::optional<TransformCall> through;
        store::Precondition* const condition;
    };
    Result<std::unique_ptr<store::ObjectReader>> open(const Copying& copying) const;
    Task<Result<void>> feed(const Copying& copying, store::ObjectReader& reader, Sink& sink);
    Task<Result<void>> make_here(const Copying& copying);
    Task<Result<void>> make_elsewhere(const Copying& copying, const TargetId& owner);

    store::ObjectStore& store_;
    const ClusterView& cluster_;
    InlineTransform& inline_;
    const bool sync_puts_;
};

}  // namespace millrace::worker
