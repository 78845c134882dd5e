// What a proxy writes down, by key and encoding (state/FORMAT.md). Pure.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "scheduler/admission.h"
#include "scheduler/job.h"
#include "scheduler/membership.h"
#include "wire/messages.h"

namespace millrace::scheduler {

struct ProxyIdentity {
    std::string proxy_id;
    std::string cluster_id;
    std::string node_secret;  // auth/node_keys.h; empty: of a Millrace from before
    MSGPACK_DEFINE_MAP(proxy_id, cluster_id, node_secret)
};

struct MemberList {
    std::uint64_t version = 0;
    std::vector<std::string> targets;
    std::map<std::string, KnownMember> known;  // by target
    std::uint64_t uptime_ms = 0;               // of this proxy, summed over its starts
    MSGPACK_DEFINE_MAP(version, targets, known, uptime_ms)
};

struct Tombstones {
    std::map<std::string, std::uint64_t> versions;  // of the catalog that each destroyed uid came with
    MSGPACK_DEFINE_MAP(versions)
};

struct ObjectList {
    std::vector<std::string> objects;
    MSGPACK_DEFINE_MAP(objects)
};

inline const std::string kIdentityKey = "identity";
inline const std::string kAdmissionKey = "admission";
inline const std::string kMembersKey = "members";
inline const std::string kLineageKey = "lineage";
inline const std::string kCatalogKey = "catalog";
inline const std::string kTombstonesKey = "tombstones";
inline const std::string kJobPrefix = "job/";
inline const std::string kListPrefix = "job-objects/";

// One of ProxyIdentity, AdmissionRecord, MemberList, wire::OwnLineage, wire::Catalog, Tombstones, ObjectList, Job.
template <class Record>
std::string encode(const Record& record);
// Code::corrupt names the key.
template <class Record>
Result<Record> decode(const std::string& key, const std::string& bytes);

}  // namespace millrace::scheduler
