// Who this target is, which cluster it belongs to, and the catalog and the members it was last told of: what it must know to start without
// hearing from anybody. Durable on return. Control loop only.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

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
    // Written down only when the members changed: who owns what must be known before a proxy was heard.
    Result<void> set_map(const wire::ClusterMap& map);

    // ---- copies (wire/lineage.h)
    // What this process says of the folder. Reading the state counted this start, durably.
    wire::Lineage lineage(const std::string& boot_id) const;
    // Changes of the folder that are durable by now.
    std::uint64_t age() const;
    // Of a welcome: not added by met() yet.
    bool is_new_branch(const std::string& branch) const;
    // Before a proxy hears that it is welcome: from here on this start counts. new_branch: empty for none. True when it was added.
    Result<bool> met(const std::string& new_branch);
    // It was started in spite of a loss; until it is welcomed the proxy is told so.
    void accept_loss() { accepts_loss_ = true; }
    bool accepts_loss() const { return accepts_loss_; }
    // What it remembers of its proxy.
    const wire::Lineage& proxy() const { return proxy_; }
    Result<void> remember_proxy(const wire::Lineage& lineage);
    // In memory; written down by the next flush_proxy_age().
    void proxy_grew_older(std::uint64_t age) { proxy_.age = std::max(proxy_.age, age); }
    Result<void> flush_proxy_age();

    // The catalog that could not be applied as a whole; version 0: there is none.
    const wire::Catalog& wanted() const { return wanted_; }
    // Both in one batch. wanted: version 0 for none.
    Result<void> set_catalogs(const wire::Catalog& applied, const wire::Catalog& wanted);

private:
    explicit TargetState(state::Kv& kv) : kv_(&kv) {}
    Result<void> write_identity();
    Result<void> write(std::string_view key, std::string record);
    Result<void> open_lineage();

    state::Kv* kv_;
    TargetId id_;
    std::string cluster_id_;
    wire::Catalog catalog_;
    wire::ClusterMap map_;
    std::string store_id_;
    wire::OwnLineage own_;
    bool accepts_loss_ = false;
    wire::Lineage proxy_;
    std::uint64_t written_proxy_age_ = 0;
    wire::Catalog wanted_;
};

}  // namespace millrace::worker
