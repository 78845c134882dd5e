// What a target knows and decides, with its effects carried out: its place in the cluster, its slices, its catalog, and the conversation with
// its proxy. Everything that it does to the world goes through the interfaces of its environment. Control loop only, but for what says otherwise.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/loop.h"
#include "worker/catalog_keeper.h"
#include "worker/cluster_view.h"
#include "worker/fences.h"
#include "worker/proxy_link.h"
#include "worker/slice_table.h"
#include "worker/target_state.h"
#include "worker/transforms.h"

namespace millrace::worker {

struct TargetEnvironment {
    Loop& control;
    Lanes& lanes;  // for objects of jobs
    BlockingPool& blocking;
    store::ObjectStore& store;
    Buckets& buckets;  // of jobs
    state::SliceStore& slices;
    TargetState& state;
    const ObjectRunner& objects;
    Transforms& transforms;
    const TargetConfig& config;
    std::string boot_id;
    std::string endpoint;  // where it serves HTTP
    RemoteSyncs::Call sync_target;
    wire::ConnectToProxy connect_to_proxy;
    std::function<void(std::string reason)> standing;  // why it is not ready; empty: it is
    std::function<void(const std::vector<wire::RevokedEntry>&)> revoked{};  // the tokens that are refused from now on
};

class TargetCore {
public:
    explicit TargetCore(TargetEnvironment environment);
    ~TargetCore();  // requires stop()

    // Goes on with what was written down, and looks for its proxy.
    Result<void> start();
    // A transform came up, or is gone. Control loop.
    void transforms_changed();
    // No object is started any more, and what runs is cancelled.
    void begin_stop() { slices_.begin_stop(); }
    // Says goodbye, and waits until nothing runs.
    Task<void> stop();

    const ClusterView& cluster() const { return cluster_; }  // any thread
    Fences& fences() { return fences_; }                     // any thread

private:
    SliceEnvironment slice_environment();
    ProxyLink::Handlers handlers();
    void take_map(const wire::ClusterMap& map);
    void tell_revoked(const wire::Catalog& catalog);

    TargetEnvironment environment_;
    ClusterView cluster_;
    Fences fences_;
    SliceTable slices_;
    CatalogKeeper catalog_;
    ProxyLink link_;
};

}  // namespace millrace::worker
