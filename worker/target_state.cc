#include "worker/target_state.h"

#include <algorithm>

#include "state/families.h"
#include "state/record.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kIdentityKey = "identity";
constexpr std::string_view kCatalogKey = "catalog";
constexpr std::string_view kMapKey = "map";

struct Identity {
    std::string target_id;
    std::string cluster_id;
    MSGPACK_DEFINE_MAP(target_id, cluster_id)
};

}  // namespace

Result<TargetState> TargetState::open(state::Kv& kv, const std::string& configured_id) {
    TargetState state(kv);
    MILLRACE_TRY_ASSIGN(const auto identity, kv.get(state::target_family::meta, kIdentityKey));
    if (identity) {
        MILLRACE_TRY_ASSIGN(const Identity known, state::decode_record<Identity>("the target's identity", *identity));
        if (!configured_id.empty() && configured_id != known.target_id) {
            return fail(Code::conflict, "this folder belongs to target " + known.target_id + ", the configuration says " + configured_id +
                "; correct 'id' or choose another 'dir'");
        }
        state.id_ = TargetId(known.target_id);
        state.cluster_id_ = known.cluster_id;
    } else {
        state.id_ = TargetId(configured_id.empty() ? random_id("t-") : configured_id);
        MILLRACE_TRY(state.write_identity());
    }
    MILLRACE_TRY_ASSIGN(const auto catalog, kv.get(state::target_family::meta, kCatalogKey));
    if (catalog) {
        MILLRACE_TRY_ASSIGN(state.catalog_, state::decode_record<wire::Catalog>("the target's catalog", *catalog));
    }
    MILLRACE_TRY_ASSIGN(const auto map, kv.get(state::target_family::meta, kMapKey));
    if (map) {
        MILLRACE_TRY_ASSIGN(state.map_, state::decode_record<wire::ClusterMap>("the target's cluster map", *map));
    }
    return state;
}

Result<void> TargetState::write_identity() {
    state::Batch batch;
    batch.put(state::target_family::meta, kIdentityKey, state::encode_record(Identity{id_.str(), cluster_id_}));
    return kv_->write(std::move(batch), true);
}

Result<void> TargetState::set_cluster_id(const std::string& cluster_id) {
    cluster_id_ = cluster_id;
    return write_identity();
}

Result<void> TargetState::set_catalog(const wire::Catalog& catalog) {
    state::Batch batch;
    batch.put(state::target_family::meta, kCatalogKey, state::encode_record(catalog));
    MILLRACE_TRY(kv_->write(std::move(batch), true));
    catalog_ = catalog;
    return {};
}

Result<void> TargetState::set_map(const wire::ClusterMap& map) {
    if (std::ranges::equal(map.targets, map_.targets, {}, &wire::Node::id, &wire::Node::id)) return {};
    state::Batch batch;
    batch.put(state::target_family::meta, kMapKey, state::encode_record(map));
    MILLRACE_TRY(kv_->write(std::move(batch), true));
    map_ = map;
    return {};
}

}  // namespace millrace::worker
