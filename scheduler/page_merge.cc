#include "scheduler/page_merge.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <queue>

namespace millrace::scheduler {

PageMerge::PageMerge(std::vector<std::string> targets, std::string after, std::size_t entries_max, bool folded)
    : entries_max_(entries_max), folded_(folded), shares_(targets.size()) {
    for (Share& share : shares_) share.last = after;
    listing_.targets = std::move(targets);
}

std::vector<PageMerge::Ask> PageMerge::asks() const {
    std::vector<Ask> asks;
    if (is_enough()) return asks;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
        const Share& share = shares_[i];
        if (!share.at_end && !share.has_row()) asks.push_back({i, share.last, rows_wanted(share)});
    }
    return asks;
}

// Chance gives a target some more than its share: hardly ever more than four standard deviations.
std::size_t PageMerge::rows_wanted(const Share& share) const {
    constexpr double kDeviations = 4;
    const std::size_t left = entries_max_ - listing_.entries.size();
    if (folded_) return left;
    const double part = taken_ == 0 ? 1.0 / static_cast<double>(shares_.size()) : static_cast<double>(share.taken) / static_cast<double>(taken_);
    const double expected = part * static_cast<double>(left);
    return std::min(left, static_cast<std::size_t>(expected + kDeviations * std::sqrt(expected)) + 1);
}

Result<void> PageMerge::add(const Ask& ask, std::string answer) {
    wire::ListedPage& page = listing_.pages.emplace_back(std::move(answer));
    const bool is_read = page.read().has_value();
    const bool goes_on = is_read && (page.rows().empty() || page.rows().front().name > ask.after) && (page.is_at_end() || page.last() > ask.after);
    if (!goes_on) {
        return fail(Code::unavailable, "target " + listing_.targets[ask.target] + " answered with something that is no page of a listing; " +
            "do all nodes run the same version of millrace?");
    }
    Share& share = shares_[ask.target];
    share.page = &page;
    share.next = 0;
    share.last = page.last();
    share.at_end = page.is_at_end();
    return {};
}

void PageMerge::merge() {
    std::optional<std::string_view> complete_to;  // what is behind it comes once more is known
    const auto is_later = [this](std::size_t a, std::size_t b) { return shares_[a].name() > shares_[b].name(); };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(is_later)> heads(is_later);
    for (std::size_t i = 0; i < shares_.size(); ++i) {
        if (shares_[i].has_row()) heads.push(i);
        if (!shares_[i].at_end && (!complete_to || shares_[i].last < *complete_to)) complete_to = shares_[i].last;
    }
    std::vector<ListingEntry>& entries = listing_.entries;
    entries.reserve(entries_max_);
    bool is_cut = false;
    while (!heads.empty()) {
        const std::size_t head = heads.top();
        Share& share = shares_[head];
        const std::string_view name = share.name();
        const bool is_doubled = !entries.empty() && entries.back().object.name == name;  // a folder that several targets have
        if (complete_to && name > *complete_to) break;
        is_cut = !is_doubled && entries.size() == entries_max_;
        if (is_cut) break;
        heads.pop();
        if (!is_doubled) entries.push_back({share.page->rows()[share.next], listing_.targets[head]});
        ++share.next;
        ++share.taken;
        ++taken_;
        if (share.has_row()) heads.push(head);
    }
    listing_.next = is_cut ? entries.back().object.name : complete_to.value_or("");
}

}  // namespace millrace::scheduler
