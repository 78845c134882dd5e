// Where proxies keep jobs, catalog and membership: a small ordered key-value store with atomic, durable, conditional commits, led by one
// proxy at a time. An interface: a single proxy has a database of its own (local_metadata_store.h); several would share a consensus store.
//
// Control loop only. Every call may wait. A call that was begun ends, whatever becomes of the task that awaits it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/task.h"

namespace millrace::state {

// Values to write, or keys to erase where there is none.
using MetadataChanges = std::map<std::string, std::optional<std::string>>;

struct MetadataCommit {
    MetadataChanges changes;
    // What must be there still, or must not be where there is no value. Nothing is changed when one of them does not hold.
    std::map<std::string, std::optional<std::string>> expected = {};
};

class MetadataStore {
public:
    virtual ~MetadataStore() = default;
    // Begins to lead: the term, greater than each before it, here and on every other proxy of the store. Before the first commit.
    virtual Task<Result<std::uint64_t>> lead() = 0;
    virtual Task<Result<std::optional<std::string>>> get(std::string key) = 0;
    // Everything whose key starts with prefix, in key order; keys without the prefix.
    virtual Task<Result<std::vector<std::pair<std::string, std::string>>>> list(std::string prefix) = 0;
    // The same without the values.
    virtual Task<Result<std::vector<std::string>>> keys(std::string prefix) = 0;
    // All or nothing, durable on return. Code::conflict: nothing was changed, since another term has begun or something expected does not
    // hold. After any other error the changes may be there all the same, at once or after the next start.
    virtual Task<Result<void>> commit(MetadataCommit commit) = 0;
    // As Kv says, of the folder that this proxy runs from.
    virtual std::uint64_t age_at_opening() const = 0;
    virtual std::uint64_t durable_age() const = 0;
};

}  // namespace millrace::state
