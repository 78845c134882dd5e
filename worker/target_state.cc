#include "worker/target_state.h"

#include <algorithm>

#include "state/families.h"
#include "state/record.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kIdentityKey = "identity";
constexpr std::string_view kCatalogKey = "catalog";
constexpr std::string_view kWantedKey = "wanted_catalog";
constexpr std::string_view kMapKey = "map";
constexpr std::string_view kStoreIdKey = "store_id";  // of the store
constexpr std::string_view kLineageKey = "lineage";
constexpr std::string_view kProxyKey = "proxy_lineage";

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
    MILLRACE_TRY_ASSIGN(const auto wanted, kv.get(state::target_family::meta, kWantedKey));
    if (wanted) {
        MILLRACE_TRY_ASSIGN(state.wanted_, state::decode_record<wire::Catalog>("the target's wanted catalog", *wanted));
    }
    MILLRACE_TRY(state.open_lineage());
    return state;
}

Result<void> TargetState::open_lineage() {
    MILLRACE_TRY_ASSIGN(const auto store, kv_->get(state::target_family::meta, kStoreIdKey));
    store_id_ = store.value_or("");
    MILLRACE_TRY_ASSIGN(const auto lineage, kv_->get(state::target_family::meta, kLineageKey));
    if (lineage) {
        MILLRACE_TRY_ASSIGN(own_, state::decode_record<wire::OwnLineage>("the target's lineage", *lineage));
    }
    MILLRACE_TRY_ASSIGN(const auto proxy, kv_->get(state::target_family::meta, kProxyKey));
    if (proxy) {
        MILLRACE_TRY_ASSIGN(proxy_, state::decode_record<wire::Lineage>("what the target remembers of its proxy", *proxy));
    }
    written_proxy_age_ = proxy_.age;
    own_ = wire::next_start(own_, kv_->age_at_opening());
    return write(kLineageKey, state::encode_record(own_));
}

Result<void> TargetState::write(std::string_view key, std::string record) {
    state::Batch batch;
    batch.put(state::target_family::meta, key, record);
    return kv_->write(std::move(batch), true);
}

Result<void> TargetState::write_identity() { return write(kIdentityKey, state::encode_record(Identity{id_.str(), cluster_id_})); }

wire::Lineage TargetState::lineage(const std::string& boot_id) const { return {store_id_, own_.branches, own_.generation, own_.age, boot_id}; }

std::uint64_t TargetState::age() const { return std::max(own_.age, kv_->durable_age()); }

bool TargetState::is_new_branch(const std::string& branch) const {
    return !branch.empty() && (own_.branches.empty() || own_.branches.back() != branch);
}

Result<bool> TargetState::met(const std::string& new_branch) {
    const bool is_new = is_new_branch(new_branch);
    accepts_loss_ = accepts_loss_ && is_new;
    if (own_.met && !is_new) return false;
    wire::OwnLineage next = own_;
    next.met = true;
    if (is_new) wire::add_branch(next.branches, new_branch);
    MILLRACE_TRY(write(kLineageKey, state::encode_record(next)));
    own_ = std::move(next);
    return is_new;
}

Result<void> TargetState::remember_proxy(const wire::Lineage& lineage) {
    if (lineage.store_id.empty()) return {};  // of a Millrace from before
    const bool same_start = lineage.boot_id == proxy_.boot_id && lineage.branches == proxy_.branches;
    const std::uint64_t age = same_start ? std::max(lineage.age, proxy_.age) : lineage.age;
    if (!same_start) {
        MILLRACE_TRY(write(kProxyKey, state::encode_record(lineage)));
        written_proxy_age_ = age;
    }
    proxy_ = lineage;
    proxy_.age = age;
    return {};
}

Result<void> TargetState::flush_proxy_age() {
    if (proxy_.age <= written_proxy_age_) return {};
    MILLRACE_TRY(write(kProxyKey, state::encode_record(proxy_)));
    written_proxy_age_ = proxy_.age;
    return {};
}

Result<void> TargetState::set_cluster_id(const std::string& cluster_id) {
    cluster_id_ = cluster_id;
    return write_identity();
}

Result<void> TargetState::set_catalogs(const wire::Catalog& applied, const wire::Catalog& wanted) {
    state::Batch batch;
    batch.put(state::target_family::meta, kCatalogKey, state::encode_record(applied));
    if (wanted.version == 0) {
        batch.erase(state::target_family::meta, kWantedKey);
    } else {
        batch.put(state::target_family::meta, kWantedKey, state::encode_record(wanted));
    }
    MILLRACE_TRY(kv_->write(std::move(batch), true));
    catalog_ = applied;
    wanted_ = wanted;
    return {};
}

Result<void> TargetState::set_map(const wire::ClusterMap& map) {
    const auto is_same = [](const wire::Node& a, const wire::Node& b) { return a.id == b.id && a.key == b.key; };
    if (std::ranges::equal(map.targets, map_.targets, is_same)) return {};
    state::Batch batch;
    batch.put(state::target_family::meta, kMapKey, state::encode_record(map));
    MILLRACE_TRY(kv_->write(std::move(batch), true));
    map_ = map;
    return {};
}

}  // namespace millrace::worker
