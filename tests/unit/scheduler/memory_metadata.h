// A proxy's metadata in memory, whose disk can refuse writes.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "scheduler/proxy_records.h"
#include "state/metadata_store.h"
#include "state/record.h"

namespace millrace::scheduler {

// Any commit may be refused, and be written all the same.
class Memory final : public state::MetadataStore {
public:
    Task<Result<std::uint64_t>> lead() override { co_return ++term; }
    Task<Result<std::optional<std::string>>> get(std::string key) override {
        const auto found = values.find(key);
        co_return found == values.end() ? std::nullopt : std::optional(found->second);
    }
    Task<Result<std::vector<std::pair<std::string, std::string>>>> list(std::string prefix) override {
        std::vector<std::pair<std::string, std::string>> found;
        for (const auto& [key, value] : values) {
            if (key.starts_with(prefix)) found.emplace_back(key.substr(prefix.size()), value);
        }
        co_return found;
    }
    Task<Result<std::vector<std::string>>> keys(std::string prefix) override {
        std::vector<std::string> found;
        for (const auto& [key, value] : values) {
            if (key.starts_with(prefix)) found.push_back(key.substr(prefix.size()));
        }
        co_return found;
    }
    std::uint64_t age_at_opening() const override { return 0; }
    std::uint64_t durable_age() const override { return 0; }
    Task<Result<void>> commit(state::MetadataCommit commit) override {
        ++commits;
        changes_max = std::max(changes_max, commit.changes.size());
        if (takes > Duration::zero()) co_await sleep_for(takes);
        for (const auto& [key, value] : commit.expected) {
            const auto found = values.find(key);
            const bool holds = found == values.end() ? !value.has_value() : value == found->second;
            if (!holds) co_return fail(Code::conflict, key + " is not what it was");
        }
        if (!refuses || writes_all_the_same) {
            for (const auto& [key, value] : commit.changes) {
                if (value) values[key] = *value;
                else values.erase(key);
            }
        }
        if (refuses) co_return fail(Code::no_space, "the disk is full");
        co_return Result<void>{};
    }

    std::map<std::string, std::string> values;
    std::uint64_t term = 0;
    std::size_t commits = 0;
    Duration takes{};  // each commit
    bool refuses = false;
    bool writes_all_the_same = false;
    std::size_t changes_max = 0;
};

}  // namespace millrace::scheduler
