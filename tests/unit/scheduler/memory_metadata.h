// A proxy's metadata in memory, whose disk can refuse writes.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "state/metadata_store.h"
#include "state/record.h"

namespace millrace::scheduler {

// The record 'members', as far as tests write it.
struct MemberList {
    std::uint64_t version = 0;
    std::vector<std::string> targets;
    MSGPACK_DEFINE_MAP(version, targets)
};

// Any commit may be refused, and be written all the same.
class Memory final : public state::MetadataStore {
public:
    Result<std::optional<std::string>> get(const std::string& key) const override {
        const auto found = values.find(key);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    }
    Result<std::vector<std::pair<std::string, std::string>>> list(const std::string& prefix) const override {
        std::vector<std::pair<std::string, std::string>> found;
        for (const auto& [key, value] : values) {
            if (key.starts_with(prefix)) found.emplace_back(key.substr(prefix.size()), value);
        }
        return found;
    }
    Result<std::vector<std::string>> keys(const std::string& prefix) const override {
        std::vector<std::string> found;
        for (const auto& [key, value] : values) {
            if (key.starts_with(prefix)) found.push_back(key.substr(prefix.size()));
        }
        return found;
    }
    std::uint64_t age_at_opening() const override { return 0; }
    std::uint64_t durable_age() const override { return 0; }
    Result<void> commit(const state::MetadataChanges& changes) override {
        changes_max = std::max(changes_max, changes.size());
        if (!refuses || writes_all_the_same) {
            for (const auto& [key, value] : changes) {
                if (value) values[key] = *value;
                else values.erase(key);
            }
        }
        if (refuses) return fail(Code::no_space, "the disk is full");
        return {};
    }

    std::map<std::string, std::string> values;
    bool refuses = false;
    bool writes_all_the_same = false;
    std::size_t changes_max = 0;
};

}  // namespace millrace::scheduler
