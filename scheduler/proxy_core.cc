#include "scheduler/proxy_core.h"

#include "auth/node_keys.h"
#include "core/ids.h"
#include "core/secrets.h"
#include "scheduler/proxy_records.h"

namespace millrace::scheduler {
namespace {

// The record, or what it is before anything was written down.
template <class Record>
Task<Result<Record>> load(state::MetadataStore& metadata, std::string key, Record fallback) {
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::string> bytes, co_await metadata.get(key));
    if (!bytes) co_return fallback;
    co_return decode<Record>(key, *bytes);
}

// Who this proxy and its cluster are, from the first start on. Of several that start for the first time, one names the cluster.
Task<Result<ProxyIdentity>> identify(state::MetadataStore& metadata) {
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const std::optional<std::string> record, co_await metadata.get(kIdentityKey));
        ProxyIdentity fresh{random_id("p-"), random_id("c-"), {}};
        if (record) {
            MILLRACE_CO_TRY_ASSIGN(fresh, decode<ProxyIdentity>(kIdentityKey, *record));
            if (!fresh.node_secret.empty()) co_return fresh;
        }
        fresh.node_secret = random_bytes(auth::kNodeKeyBytes);
        state::MetadataCommit first{.changes = {{kIdentityKey, encode(fresh)}}, .expected = {{kIdentityKey, record}}};
        const Result<void> written = co_await metadata.commit(std::move(first));
        if (written) co_return fresh;
        if (written.error().code != Code::conflict) co_return written.error();  // else another was first
    }
}

}  // namespace

struct ProxyCore::Opened {
    std::uint64_t term = 0;
    RestoredCluster cluster;
    std::optional<std::string> catalog_record;
};

Task<Result<std::unique_ptr<ProxyCore>>> ProxyCore::open(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata,
                                                         std::size_t list_part_bytes_max) {
    Opened opened;
    MILLRACE_CO_TRY_ASSIGN(opened.term, co_await metadata.lead());
    RestoredCluster& cluster = opened.cluster;
    MILLRACE_CO_TRY_ASSIGN(cluster.identity, co_await identify(metadata));
    MILLRACE_CO_TRY_ASSIGN(opened.catalog_record, co_await metadata.get(kCatalogKey));
    if (opened.catalog_record) {
        MILLRACE_CO_TRY_ASSIGN(cluster.catalog, decode<wire::Catalog>(kCatalogKey, *opened.catalog_record));
    }
    Tombstones no_tombstones;
    MILLRACE_CO_TRY_ASSIGN(cluster.tombstones, co_await load(metadata, kTombstonesKey, no_tombstones));
    MemberList no_members;
    MILLRACE_CO_TRY_ASSIGN(cluster.members, co_await load(metadata, kMembersKey, no_members));
    wire::OwnLineage no_lineage;
    MILLRACE_CO_TRY_ASSIGN(const wire::OwnLineage last, co_await load(metadata, kLineageKey, no_lineage));
    cluster.own = wire::next_start(last, metadata.age_at_opening());
    std::unique_ptr<ProxyCore> core(new ProxyCore(control, aside, config, metadata, list_part_bytes_max, std::move(opened)));
    const wire::OwnLineage own = core->state_.leadership.own();
    MILLRACE_CO_TRY(co_await core->records_.write_lineage(own));
    MILLRACE_CO_TRY(co_await core->jobs_.restore());
    MILLRACE_CO_TRY(co_await core->records_.write_members());  // with the raised version, so that the next start raises it further
    co_return core;
}

ProxyCore::ProxyCore(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata, std::size_t list_part_bytes_max,
                     Opened opened)
    : term_(opened.term), state_(std::move(opened.cluster), config.target_timeout_ms, steady_now()),
      records_(state_, metadata, std::move(opened.catalog_record)), control_plane_(control, config, state_, records_),
      catalog_(state_, control_plane_), jobs_(state_, control_plane_, records_, catalog_, metadata, aside, list_part_bytes_max),
      client_(control.executor()), targets_(state_, client_), large_bodies_(aside) {}

}  // namespace millrace::scheduler
