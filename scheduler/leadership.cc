#include "scheduler/leadership.h"

#include <algorithm>

#include "core/check.h"
#include "core/log.h"

namespace millrace::scheduler {

bool Leadership::hear(const wire::Hello& hello, std::uint64_t own_catalog) {
    if (hello.cluster_id != cluster_id_) return outdated_.empty();
    catalog_seen_ = std::max(catalog_seen_, hello.catalog_version);
    const wire::Kinship kinship = wire::compare(hello.proxy, lineage());
    const bool has_newer_catalog = hello.catalog_version > own_catalog;
    if (kinship == wire::Kinship::same && !has_newer_catalog) return outdated_.empty();
    if (newest_.generation <= hello.proxy.generation) newest_ = hello.proxy;
    for (const std::string& branch : hello.proxy.branches) {
        const auto is_among = [&branch](const std::vector<std::string>& branches) { return std::ranges::find(branches, branch) != branches.end(); };
        if (!is_among(own_.branches) && !is_among(branches_missed_)) branches_missed_.push_back(branch);
    }
    if (!outdated_.empty()) return false;
    const std::string what = kinship == wire::Kinship::same
        ? "proxy " + proxy_id_ + " runs from an older copy of its folder (catalog " + std::to_string(own_catalog) + "; known is " +
              std::to_string(hello.catalog_version) + ")"
        : wire::describe(kinship, "proxy " + proxy_id_, hello.proxy, lineage());
    outdated_ = what + ", as target " + hello.target_id +
                " says; start it from the newest folder it had, or, if that is lost: millrace cluster accept " + proxy_id_;
    log::error("this proxy leads nobody", {{"reason", outdated_}});
    return false;
}

Result<wire::OwnLineage> Leadership::accepted(const std::string& branch) const {
    if (outdated_.empty()) return fail(Code::conflict, "no target knows a newer state of this proxy, so there is nothing to accept");
    wire::OwnLineage own = own_;
    own.generation = std::max(own.generation, newest_.generation) + 1;
    own.met = true;
    for (const std::string& missed : branches_missed_) wire::add_branch(own.branches, missed);
    wire::add_branch(own.branches, branch);
    return own;
}

void Leadership::accept(wire::OwnLineage own) {
    MILLRACE_CHECK(!outdated_.empty() && own.generation > own_.generation);
    log::warn("this proxy was accepted with an older copy of its folder", {{"reason", outdated_}});
    own_ = std::move(own);
    outdated_.clear();
    newest_ = {};
    branches_missed_.clear();
}

}  // namespace millrace::scheduler
