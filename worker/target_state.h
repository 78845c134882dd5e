// Who this target is, which cluster it belongs to, and the catalog and the members it was last told of: what it must know to start without
// hearing from anybody. Durable on return. Control loop only.
#pragma once
#include <string>

#include "core/ids.h"
#include "state/kv.h"
#include "wire/messages.h"

namespace millrace::worker {

class TargetState {
public:
    // configured_id: what the configuration says, "" for whatever the folder has (or a fresh one). Code::conflict when the
    // folder belongs to another target.
    static Result<TargetState> open(state::Kv& kv, const std::string& configured_id);

    const TargetId& id() const { return id_; }
    const std::string& cluster_id() const { return cluster_id_; }
    const wire::Catalog& catalog() const { return catalog_; }
    const wire::ClusterMap& map() const { return map_; }
    Result<void> set_cluster_id(const std::string& cluster_id);
    Result<void> set_catalog(const wire::Catalog& catalog);
    // Written down only when the members changed: who owns what must be known before a proxy was heard.
    Result<void> set_map(const wire::ClusterMap& map);

private:
    explicit TargetState(state::Kv& kv) : kv_(&kv) {}
    Result<void> write_identity();

    state::Kv* kv_;
    TargetId id_;
    std::string cluster_id_;
    wire::Catalog catalog_;
    wire::ClusterMap map_;
};

}  // namespace millrace::worker
