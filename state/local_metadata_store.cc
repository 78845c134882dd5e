#include "state/local_metadata_store.h"

#include "core/fault.h"
#include "core/whole_number.h"
#include "state/families.h"

namespace millrace::state {
namespace {

constexpr auto kFamily = proxy_family::jobs;
const std::string kTerm = "term";  // the newest, in digits

// visit(key without prefix, value)
template <class Visit>
Result<void> scan(Kv& kv, const std::string& prefix, Visit visit) {
    const std::string end = prefix_end(prefix);
    Cursor cursor = kv.cursor(kFamily, end);
    for (cursor.seek(prefix); cursor.valid(); cursor.next()) visit(cursor.key().substr(prefix.size()), cursor.value());
    return cursor.status();
}

}  // namespace

Task<Result<std::uint64_t>> LocalMetadataStore::lead() {
    auto raise = [this] { return raise_term(); };
    co_return co_await pool_.run(std::move(raise));
}

Result<std::uint64_t> LocalMetadataStore::raise_term() {
    MILLRACE_TRY_ASSIGN(const std::optional<std::string> last, kv_.get(kFamily, kTerm));
    const auto term = last ? parse_whole<std::uint64_t>(*last) : std::optional<std::uint64_t>(0);
    if (!term) return fail(Code::corrupt, "the proxy's record '" + kTerm + "' is not a number");
    MILLRACE_TRY(write({.changes = {{kTerm, std::to_string(*term + 1)}}}));
    return *term + 1;
}

Task<Result<std::optional<std::string>>> LocalMetadataStore::get(std::string key) {
    auto read = [this, key = std::move(key)] { return kv_.get(kFamily, key); };
    co_return co_await pool_.run(std::move(read));
}

Task<Result<std::vector<std::pair<std::string, std::string>>>> LocalMetadataStore::list(std::string prefix) {
    using Found = std::vector<std::pair<std::string, std::string>>;
    auto read = [this, prefix = std::move(prefix)]() -> Result<Found> {
        Found found;
        MILLRACE_TRY(scan(kv_, prefix, [&](auto key, auto value) { found.emplace_back(key, value); }));
        return found;
    };
    co_return co_await pool_.run(std::move(read));
}

Task<Result<std::vector<std::string>>> LocalMetadataStore::keys(std::string prefix) {
    using Found = std::vector<std::string>;
    auto read = [this, prefix = std::move(prefix)]() -> Result<Found> {
        Found found;
        MILLRACE_TRY(scan(kv_, prefix, [&](auto key, const auto&) { found.emplace_back(key); }));
        return found;
    };
    co_return co_await pool_.run(std::move(read));
}

Task<Result<void>> LocalMetadataStore::commit(MetadataCommit commit) {
    auto work = [this, commit = std::move(commit)]() -> Result<void> {
        MILLRACE_TRY(check(commit));
        MILLRACE_TRY(MILLRACE_FAULT_POINT("metadata.before_commit"));
        MILLRACE_TRY(write(commit));
        return MILLRACE_FAULT_POINT("metadata.after_commit");
    };
    co_return co_await pool_.run(std::move(work));
}

// Nobody else writes: calls come one after the other.
Result<void> LocalMetadataStore::check(const MetadataCommit& commit) const {
    for (const auto& [key, value] : commit.expected) {
        MILLRACE_TRY_ASSIGN(const std::optional<std::string> found, kv_.get(kFamily, key));
        if (found != value) return fail(Code::conflict, "the record '" + key + "' is not what it was: somebody else has changed it");
    }
    return {};
}

Result<void> LocalMetadataStore::write(const MetadataCommit& commit) {
    Batch batch;
    for (const auto& [key, value] : commit.changes) {
        if (value) {
            batch.put(kFamily, key, *value);
        } else {
            batch.erase(kFamily, key);
        }
    }
    return kv_.write(std::move(batch), true);
}

}  // namespace millrace::state
