#include "state/metadata_store.h"

#include "core/fault.h"
#include "state/families.h"

namespace millrace::state {
namespace {

class EmbeddedMetadataStore final : public MetadataStore {
public:
    explicit EmbeddedMetadataStore(Kv& kv) : kv_(kv) {}

    Result<std::optional<std::string>> get(const std::string& key) const override { return kv_.get(proxy_family::jobs, key); }

    Result<std::vector<std::pair<std::string, std::string>>> list(const std::string& prefix) const override {
        std::vector<std::pair<std::string, std::string>> found;
        const std::string end = prefix_end(prefix);
        Cursor cursor = kv_.cursor(proxy_family::jobs, end);
        for (cursor.seek(prefix); cursor.valid(); cursor.next()) {
            found.emplace_back(cursor.key().substr(prefix.size()), cursor.value());
        }
        MILLRACE_TRY(cursor.status());
        return found;
    }

    Result<std::vector<std::string>> keys(const std::string& prefix) const override {
        std::vector<std::string> found;
        const std::string end = prefix_end(prefix);
        Cursor cursor = kv_.cursor(proxy_family::jobs, end);
        for (cursor.seek(prefix); cursor.valid(); cursor.next()) found.emplace_back(cursor.key().substr(prefix.size()));
        MILLRACE_TRY(cursor.status());
        return found;
    }

    Result<void> commit(const MetadataChanges& changes) override {
        MILLRACE_TRY(MILLRACE_FAULT_POINT("metadata.before_commit"));
        Batch batch;
        for (const auto& [key, value] : changes) {
            if (value) {
                batch.put(proxy_family::jobs, key, *value);
            } else {
                batch.erase(proxy_family::jobs, key);
            }
        }
        MILLRACE_TRY(kv_.write(std::move(batch), true));
        return MILLRACE_FAULT_POINT("metadata.after_commit");
    }

    std::uint64_t age_at_opening() const override { return kv_.age_at_opening(); }
    std::uint64_t durable_age() const override { return kv_.durable_age(); }

private:
    Kv& kv_;
};

}  // namespace

std::unique_ptr<MetadataStore> make_embedded_metadata_store(Kv& kv) { return std::make_unique<EmbeddedMetadataStore>(kv); }

}  // namespace millrace::state
