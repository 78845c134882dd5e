#include "scheduler/proxy_records.h"

#include "state/record.h"

namespace millrace::scheduler {

template <class Record>
std::string encode(const Record& record) {
    return state::encode_record(record);
}

template <class Record>
Result<Record> decode(const std::string& key, const std::string& bytes) {
    return state::decode_record<Record>("the proxy's record '" + key + "'", bytes);
}

// Here alone: records are most of what there is to compile of a proxy.
#define MILLRACE_PROXY_RECORD(Record)                    \
    template std::string encode<Record>(const Record&); \
    template Result<Record> decode<Record>(const std::string&, const std::string&);
MILLRACE_PROXY_RECORD(ProxyIdentity)
MILLRACE_PROXY_RECORD(AdmissionRecord)
MILLRACE_PROXY_RECORD(MemberList)
MILLRACE_PROXY_RECORD(wire::OwnLineage)
MILLRACE_PROXY_RECORD(wire::Catalog)
MILLRACE_PROXY_RECORD(Tombstones)
MILLRACE_PROXY_RECORD(ObjectList)
MILLRACE_PROXY_RECORD(Job)
#undef MILLRACE_PROXY_RECORD

}  // namespace millrace::scheduler
