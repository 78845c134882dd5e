#include "scheduler/page_merge.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

namespace millrace::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What targets have, and how often they were asked. A name that ends in a slash is a folder.
struct Targets {
    std::vector<std::set<std::string>> names;
    std::size_t rounds = 0;
    std::size_t rows = 0;

    std::string answer(const PageMerge::Ask& ask) {
        wire::ListedPageWriter page;
        const std::set<std::string>& all = names[ask.target];
        auto at = all.upper_bound(ask.after);
        std::string last = ask.after;
        for (std::size_t row = 0; row < ask.rows_max && at != all.end(); ++row, ++at) {
            page.add({.name = *at, .folder = at->ends_with('/'), .size = ask.target});
            last = *at;
            ++rows;
        }
        return std::move(page).finish(last, at == all.end());
    }
    Listing list(std::string after, std::size_t entries_max, bool folded = false) {
        std::vector<std::string> ids;
        for (std::size_t i = 0; i < names.size(); ++i) ids.push_back("t" + std::to_string(i));
        PageMerge merge(ids, std::move(after), entries_max, folded);
        for (auto asks = merge.asks(); !asks.empty(); asks = merge.asks()) {
            ++rounds;
            for (const PageMerge::Ask& ask : asks) EXPECT_TRUE(merge.add(ask, answer(ask)));
            merge.merge();
        }
        return std::move(merge).take();
    }
};

std::vector<std::string> names_of(const Listing& listing) {
    std::vector<std::string> names;
    for (const ListingEntry& entry : listing.entries) names.emplace_back(entry.object.name);
    return names;
}

Targets spread(std::size_t targets, std::size_t count) {
    Targets all{std::vector<std::set<std::string>>(targets)};
    std::size_t random = 1;
    for (std::size_t i = 0; i < count; ++i) {
        random = random * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
        all.names[(random >> 33) % targets].insert("name" + std::to_string(1'000'000 + i));
    }
    return all;
}

TEST(PageMerge, NamesOfAllTargetsComeInOrderAndSayWhoseTheyAre) {
    Targets targets{{{"b", "d"}, {"a", "e"}, {"c"}}};
    const Listing listing = targets.list("", 10);
    EXPECT_THAT(names_of(listing), ElementsAre("a", "b", "c", "d", "e"));
    EXPECT_EQ(listing.entries[0].target, "t1");
    EXPECT_EQ(listing.entries[2].target, "t2");
    EXPECT_EQ(listing.next, "");
    EXPECT_THAT(names_of(targets.list("b", 10)), ElementsAre("c", "d", "e"));
}

TEST(PageMerge, APageIsFullUnlessItIsTheLast) {
    Targets targets = spread(3, 10'000);
    std::vector<std::string> listed;
    std::string after;
    do {
        const Listing page = targets.list(after, 999);
        if (!page.next.empty()) EXPECT_EQ(page.entries.size(), 999u);
        for (const std::string& name : names_of(page)) listed.push_back(name);
        after = page.next;
    } while (!after.empty());
    EXPECT_EQ(listed.size(), 10'000u);
    EXPECT_TRUE(std::ranges::is_sorted(listed));
}

TEST(PageMerge, APageThatIsJustFullIsTheLast) {
    Targets targets{{{"a", "c"}, {"b"}}};
    EXPECT_EQ(targets.list("", 3).next, "");
    EXPECT_EQ(targets.list("", 2).next, "b");
    Targets doubled{{{"a/"}, {"a/"}}};
    EXPECT_EQ(doubled.list("", 1, true).next, "");
}

TEST(PageMerge, ATargetIsAskedForLittleMoreThanItsShare) {
    Targets targets = spread(10, 50'000);
    EXPECT_EQ(targets.list("", 10'000).entries.size(), 10'000u);
    EXPECT_EQ(targets.rounds, 1u);
    EXPECT_LT(targets.rows, 12'000u);
}

TEST(PageMerge, NamesThatLieOnOneTargetTakeTwoRounds) {
    Targets targets = spread(1, 5'000);
    targets.names.resize(4);
    EXPECT_EQ(targets.list("", 4'000).entries.size(), 4'000u);
    EXPECT_EQ(targets.rounds, 2u);
}

TEST(PageMerge, TargetsThatHaveLittleAreNotAskedAgain) {
    Targets targets = spread(1, 5'000);
    targets.names.push_back({"name1000001x", "z"});
    const Listing listing = targets.list("", 6'000);
    EXPECT_EQ(listing.entries.size(), 5'002u);
    EXPECT_EQ(listing.entries.back().object.name, "z");
    EXPECT_EQ(listing.next, "");
}

TEST(PageMerge, AFolderOfSeveralTargetsIsOneEntry) {
    Targets targets{{{"a/", "b", "c/"}, {"a/", "c/", "d"}}};
    EXPECT_THAT(names_of(targets.list("", 10, true)), ElementsAre("a/", "b", "c/", "d"));
    EXPECT_THAT(names_of(targets.list("", 2, true)), ElementsAre("a/", "b"));
    EXPECT_EQ(targets.list("", 2, true).next, "b");
}

TEST(PageMerge, AFoldedPageEndsWhereATargetKnowsNoMore) {
    PageMerge merge({"t0", "t1"}, "", 10, true);
    wire::ListedPageWriter first;
    first.add({.name = "a/", .folder = true});
    wire::ListedPageWriter second;
    second.add({.name = "b"});
    second.add({.name = "x"});
    const auto asks = merge.asks();
    ASSERT_EQ(asks.size(), 2u);
    ASSERT_TRUE(merge.add(asks[0], std::move(first).finish("m", false)));
    ASSERT_TRUE(merge.add(asks[1], std::move(second).finish("x", true)));
    merge.merge();
    EXPECT_THAT(merge.asks(), IsEmpty());
    const Listing listing = std::move(merge).take();
    EXPECT_THAT(names_of(listing), ElementsAre("a/", "b"));
    EXPECT_EQ(listing.next, "m");
}

TEST(PageMerge, WhereMuchWasPassedOverAndNothingFoundItGoesOn) {
    PageMerge merge({"t0"}, "", 10, true);
    ASSERT_TRUE(merge.add(merge.asks()[0], wire::ListedPageWriter().finish("m", false)));
    merge.merge();
    ASSERT_EQ(merge.asks().size(), 1u);
    EXPECT_EQ(merge.asks()[0].after, "m");
    ASSERT_TRUE(merge.add(merge.asks()[0], wire::ListedPageWriter().finish("m", true)));
    merge.merge();
    EXPECT_THAT(merge.asks(), IsEmpty());
    EXPECT_EQ(std::move(merge).take().next, "");
}

TEST(PageMerge, WhatIsNoPageOrDoesNotGoOnIsTheTargetsFault) {
    PageMerge merge({"t0"}, "m", 10, false);
    const auto ask = merge.asks()[0];
    const auto no_page = merge.add(ask, R"({"entries":[]})");
    ASSERT_FALSE(no_page);
    EXPECT_EQ(no_page.error().code, Code::unavailable);
    EXPECT_NE(no_page.error().context.find("target t0"), std::string::npos);
    EXPECT_FALSE(merge.add(ask, wire::ListedPageWriter().finish("m", false)));
    wire::ListedPageWriter before;
    before.add({.name = "a"});
    EXPECT_FALSE(merge.add(ask, std::move(before).finish("n", false)));
}

TEST(PageMerge, WithoutTargetsThereIsNothing) {
    Targets none;
    EXPECT_THAT(none.list("", 10).entries, IsEmpty());
}

}  // namespace
}  // namespace millrace::scheduler
