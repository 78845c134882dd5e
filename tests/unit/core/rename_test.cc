#include "core/rename.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/placement.h"

namespace millrace {
namespace {

TEST(Rename, MapsTheLastExtension) {
    const RenameRule rule{{{"flac", "wav"}, {"gz", "zst"}}, ""};
    EXPECT_EQ(rule.apply("a/clip7.flac"), "a/clip7.wav");
    EXPECT_EQ(rule.apply("a/clip7.tar.gz"), "a/clip7.tar.zst");
    EXPECT_EQ(rule.apply("a/clip7.mp3"), "a/clip7.mp3");
    EXPECT_EQ(rule.apply("a.flac/clip7"), "a.flac/clip7");
}

TEST(Rename, HiddenNamesAndTrailingDotsHaveNoExtension) {
    const RenameRule rule{{{"flac", "wav"}}, ""};
    EXPECT_EQ(rule.apply(".flac"), ".flac");
    EXPECT_EQ(rule.apply("a/.flac"), "a/.flac");
    EXPECT_EQ(rule.apply("a/..flac"), "a/..flac");
    EXPECT_EQ(rule.apply("a/.x.flac"), "a/.x.wav");
    EXPECT_EQ(rule.apply("clip."), "clip.");
    EXPECT_EQ(rule.apply("flac"), "flac");
}

TEST(Rename, PrependAddsNoDelimiter) {
    const RenameRule rule{{{"flac", "wav"}}, "out-"};
    EXPECT_EQ(rule.apply("a/clip7.flac"), "out-a/clip7.wav");
}

TEST(Rename, RivalsAreTheOtherSourcesOfAName) {
    const RenameRule rule{{{"flac", "wav"}, {"mp3", "wav"}}, ""};
    EXPECT_EQ(rule.rivals("x.flac"), (std::vector<std::string>{"x.mp3", "x.wav"}));
    EXPECT_EQ(rule.rivals("x.wav"), (std::vector<std::string>{"x.flac", "x.mp3"}));
    EXPECT_TRUE(rule.rivals("x.txt").empty());
    EXPECT_TRUE(rule.rivals("x").empty());
}

TEST(Rename, ASwapOfExtensionsHasNoRivals) {
    const RenameRule rule{{{"a", "b"}, {"b", "a"}}, ""};
    EXPECT_TRUE(rule.rivals("x.a").empty());
    EXPECT_TRUE(rule.rivals("x.b").empty());
}

// ---- for every name and every map

class RandomNames {
public:
    explicit RandomNames(std::uint64_t seed) : engine_(seed) {}

    std::string name() {
        std::string text = pick({"", "", "d/", "d.e/", ".h/"});
        const int pieces = 1 + static_cast<int>(engine_() % 4);
        for (int i = 0; i < pieces; ++i) text += pick({".", "x", "y", ".a", ".b", ".c", ".x"});
        return text;
    }

    // From so few that many are related.
    std::string close_name() {
        return pick({"x", ".x", "d/x"}) + pick({"", ".a", ".b", ".c"}) + pick({"", ".", ".a", ".b", ".c", ".x", ".z"});
    }

    RenameRule rule() {
        RenameRule rule;
        const int entries = static_cast<int>(engine_() % 4);
        for (int i = 0; i < entries; ++i) rule.ext[pick({"a", "b", "c", "x"})] = pick({"a", "b", "c", "x", "z"});
        rule.prepend = pick({"", "", "p", "p/", "p."});
        return rule;
    }

private:
    std::string pick(std::vector<std::string> choices) { return choices[engine_() % choices.size()]; }

    std::mt19937_64 engine_;
};

TEST(RenameProperty, TwoSourcesCollideExactlyWhenTheyAreRivals) {
    RandomNames random(1);
    int collisions = 0;
    for (int round = 0; round < 2000; ++round) {
        const RenameRule rule = random.rule();
        std::vector<std::string> names;
        for (int i = 0; i < 16; ++i) names.push_back(random.close_name());
        for (const std::string& one : names) {
            const std::vector<std::string> rivals = rule.rivals(one);
            for (const std::string& other : names) {
                if (one == other) continue;
                const bool collide = rule.apply(one) == rule.apply(other);
                collisions += collide;
                EXPECT_EQ(collide, std::ranges::find(rivals, other) != rivals.end()) << one << " and " << other << " become " << rule.apply(one);
                if (collide) EXPECT_TRUE(rule.can_collide());
            }
        }
    }
    EXPECT_GT(collisions, 1000);
}

TEST(RenameProperty, EveryRivalReallyCollidesAndIsListedOnce) {
    RandomNames random(2);
    for (int round = 0; round < 20'000; ++round) {
        const RenameRule rule = random.rule();
        const std::string name = random.name();
        std::vector<std::string> rivals = rule.rivals(name);
        for (const std::string& rival : rivals) {
            EXPECT_NE(rival, name);
            EXPECT_EQ(rule.apply(rival), rule.apply(name)) << name << " and " << rival;
        }
        std::ranges::sort(rivals);
        EXPECT_EQ(std::ranges::adjacent_find(rivals), rivals.end()) << name;
    }
}

TEST(RenameProperty, SourceOutputAndRivalsHaveTheSamePlacementKey) {
    RandomNames random(3);
    for (int round = 0; round < 20'000; ++round) {
        RenameRule rule = random.rule();
        const std::string name = random.name();
        for (const std::string& rival : rule.rivals(name)) EXPECT_EQ(placement_key(rival), placement_key(name)) << rival << " " << name;
        rule.prepend.clear();
        EXPECT_EQ(placement_key(rule.apply(name)), placement_key(name)) << name << " to " << rule.apply(name);
    }
}

}  // namespace
}  // namespace millrace
