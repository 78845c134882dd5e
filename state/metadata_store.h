// Where a proxy keeps jobs, catalog and membership: a small ordered key-value store with atomic, durable commits. An
// interface, so that a consensus store can stand behind it for several proxies.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "state/kv.h"

namespace millrace::state {

// Values to write, or keys to erase where there is none.
using MetadataChanges = std::map<std::string, std::optional<std::string>>;

class MetadataStore {
public:
    virtual ~MetadataStore() = default;
    virtual Result<std::optional<std::string>> get(const std::string& key) const = 0;
    // Everything whose key starts with prefix, in key order; keys without the prefix.
    virtual Result<std::vector<std::pair<std::string, std::string>>> list(const std::string& prefix) const = 0;
    // The same without the values.
    virtual Result<std::vector<std::string>> keys(const std::string& prefix) const = 0;
    // All or nothing, durable on return. Blocks for about a millisecond.
    virtual Result<void> commit(const MetadataChanges& changes) = 0;
    // As Kv says.
    virtual std::uint64_t age_at_opening() const = 0;
    virtual std::uint64_t durable_age() const = 0;
};

std::unique_ptr<MetadataStore> make_embedded_metadata_store(Kv& kv);

}  // namespace millrace::state
