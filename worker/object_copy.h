// Copies one object to another name, as it is or through a transform, on the target that owns the source. The destination may
// belong to another target, which then gets it streamed. Runs on the lane of the connection.
#pragma once
#include <string>

#include "core/names.h"
#include "core/uri.h"
#include "store/object_store.h"
#include "worker/cluster_view.h"
#include "worker/inline_transform.h"

namespace millrace::worker {

class ObjectCopy {
public:
    ObjectCopy(store::ObjectStore& store, const ClusterView& cluster, InlineTransform& inline_transform, bool sync_puts)
        : store_(store), cluster_(cluster), inline_(inline_transform), sync_puts_(sync_puts) {}

    // The query says where to (object_to) and through what (etl_name, etl_pipeline, etl_args). Custom metadata goes along with a
    // plain copy. The destination appears whole or not at all.
    Task<Result<void>> run(const Query& query, const std::string& bucket, const std::string& name);

private:
    Task<Result<void>> feed(const Query& query, const std::string& bucket, const std::string& name, store::ObjectReader& reader, Sink& sink);
    Task<Result<void>> make_here(const Query& query, const std::string& bucket, const std::string& name, const ObjectUri& destination);
    Task<Result<void>> make_elsewhere(const Query& query, const std::string& bucket, const std::string& name, const ObjectUri& destination,
                                     const TargetId& owner);

    store::ObjectStore& store_;
    const ClusterView& cluster_;
    InlineTransform& inline_;
    const bool sync_puts_;
};

}  // namespace millrace::worker
