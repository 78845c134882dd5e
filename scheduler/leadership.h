// Whether this proxy may lead its targets, or runs from an older copy of its folder than the one that they know. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "wire/messages.h"

namespace millrace::scheduler {

class Leadership {
public:
    Leadership(std::string proxy_id, std::string cluster_id, std::string boot_id, wire::OwnLineage own)
        : proxy_id_(std::move(proxy_id)), cluster_id_(std::move(cluster_id)), boot_id_(std::move(boot_id)), own_(std::move(own)) {}

    // What the target remembers of this proxy, heard. False while the proxy leads nobody. own_catalog: the version that this proxy has. It is
    // written down before any target is told, so one that has a newer one knows a newer proxy, whatever ages were told in time.
    bool hear(const wire::Hello& hello, std::uint64_t own_catalog);
    // Why it leads nobody, with what to do; empty: it leads.
    const std::string& outdated() const { return outdated_; }
    // The newest version of the catalog that a target said it has.
    std::uint64_t catalog_seen() const { return catalog_seen_; }

    wire::Lineage lineage() const { return {proxy_id_, own_.branches, own_.generation, own_.age, boot_id_}; }
    const wire::OwnLineage& own() const { return own_; }
    void set_met(bool met) { own_.met = met; }
    // In how many lives the proxy has led targets since the copy was made that it runs from, the one that accept() begins included: each
    // was accepted in the place of the one before.
    std::uint64_t lives_since_copy() const { return branches_missed_.size() + 1; }
    // What is to be written down before accept(). Code::conflict when there is nothing to accept.
    Result<wire::OwnLineage> accepted(const std::string& branch) const;
    // It leads, as what accepted() gave.
    void accept(wire::OwnLineage own);

private:
    const std::string proxy_id_;
    const std::string cluster_id_;
    const std::string boot_id_;
    wire::OwnLineage own_;
    std::string outdated_;
    wire::Lineage newest_;                      // that a target remembers of this proxy, while outdated
    std::vector<std::string> branches_missed_;  // that any of them remembers, and its own folder does not; while outdated
    std::uint64_t catalog_seen_ = 0;
};

}  // namespace millrace::scheduler
