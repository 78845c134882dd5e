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

std::vector<std::string> rivals(const RenameRule& rule, const std::string& source) {
    std::vector<std::string> names;
    for (const RivalNames& rival : rule.rivals(source)) names.push_back(rival.name());
    return names;
}

TEST(Rename, RivalsAreTheOtherSourcesOfAName) {
    const RenameRule rule{{{"flac", "wav"}, {"mp3", "wav"}}, ""};
    EXPECT_EQ(rivals(rule, "x.flac"), (std::vector<std::string>{"x.mp3", "x.wav"}));
    EXPECT_EQ(rivals(rule, "x.wav"), (std::vector<std::string>{"x.flac", "x.mp3"}));
    EXPECT_TRUE(rule.rivals("x.txt").empty());
    EXPECT_TRUE(rule.rivals("x").empty());
}

TEST(Rename, TakesAnExtensionOffAndPutsOneOn) {
    const RenameRule off{{{"gz", ""}}, ""};
    EXPECT_EQ(off.apply("X.PM.fa.dna_sm.toplevel.fa.gz"), "X.PM.fa.dna_sm.toplevel.fa");
    EXPECT_EQ(off.apply("plain.txt"), "plain.txt");
    EXPECT_EQ(off.apply("a/.gz"), "a/.gz");
    EXPECT_EQ(rivals(off, "report.gz"), (std::vector<std::string>{"report"}));
    EXPECT_EQ(rivals(off, "report"), (std::vector<std::string>{"report.gz"}));
    const RenameRule on{{{"", "gz"}, {"bz2", "gz"}}, ""};
    EXPECT_EQ(on.apply("report.txt"), "report.txt.gz");
    EXPECT_EQ(on.apply("report"), "report.gz");
    EXPECT_EQ(on.apply("report.bz2"), "report.gz");
    EXPECT_EQ(rivals(on, "report"), (std::vector<std::string>{"report.bz2"}));
}

TEST(Rename, TheLongestExtensionCounts) {
    const RenameRule rule{{{"tar.gz", "tar.zst"}, {"gz", "zst"}, {"txt", "txt.gz"}}, ""};
    EXPECT_EQ(rule.apply("a.tar.gz"), "a.tar.zst");
    EXPECT_EQ(rule.apply("a.b.gz"), "a.b.zst");
    EXPECT_EQ(rule.apply("a.txt"), "a.txt.gz");
    EXPECT_EQ(rule.apply(".tar.gz"), ".tar.zst") << "of a hidden name, what comes behind its own dot";
    EXPECT_FALSE(rule.touches("a.zip"));
    EXPECT_TRUE(rule.touches("a.tar.gz"));
}

TEST(Rename, InAnyCase) {
    RenameRule rule{{{"jpg", "png"}}, ""};
    EXPECT_EQ(rule.apply("IMG_1.JPG"), "IMG_1.JPG");
    rule.any_case = true;
    EXPECT_EQ(rule.apply("IMG_1.JPG"), "IMG_1.png");
    EXPECT_EQ(rule.apply("a.Jpg"), "a.png");
    const std::vector<RivalNames> found = rule.rivals("a.Jpg");
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].name(), "a.jpg");
    EXPECT_TRUE(same_but_for_case(found[0].extension, "JpG"));
    EXPECT_EQ(found[1].name(), "a.png");
}

TEST(Rename, RefusesWhatCanNeverGiveAName) {
    const auto error = [](const RenameRule& rule) {
        const Result<void> valid = rule.validate();
        return valid ? std::string() : valid.error().context;
    };
    EXPECT_EQ(error({{{"tar.gz", "tar.zst"}, {"gz", ""}, {"", "bz2"}}, "old/"}), "");
    EXPECT_NE(error({{{"", ""}}, ""}).find("maps no extension to none"), std::string::npos);
    EXPECT_NE(error({{{"a/b", "c"}}, ""}).find("'a/b', which is not an extension"), std::string::npos);
    EXPECT_NE(error({{{"a", "b..c"}}, ""}).find("'b..c'"), std::string::npos);
    EXPECT_NE(error({{{"0001", "x"}}, ""}).find("what numbers objects is no extension"), std::string::npos);
    EXPECT_NE(error({{{"jpg", "png"}, {"JPG", "png"}}, "", true}).find("the same in any case"), std::string::npos);
    EXPECT_NE(error({{}, "/x"}).find("which no valid name begins with"), std::string::npos);
    EXPECT_NE(error({{}, "../"}).find("could leave the bucket"), std::string::npos);
    EXPECT_NE(error({{}, "a//"}).find("'prepend' is 'a//'"), std::string::npos);
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
        for (int i = 0; i < entries; ++i) {
            const std::string from = pick({"a", "b", "c", "x", "a.b", "x.x", ""});
            rule.ext[from] = pick({"a", "b", "c", "x", "z", "b.c", from.empty() ? "x" : ""});
        }
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
            const std::vector<std::string> others = rivals(rule, one);
            for (const std::string& other : names) {
                if (one == other) continue;
                const bool collide = rule.apply(one) == rule.apply(other);
                collisions += collide;
                EXPECT_EQ(collide, std::ranges::find(others, other) != others.end()) << one << " and " << other << " become " << rule.apply(one);
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
        std::vector<std::string> others = rivals(rule, name);
        for (const std::string& rival : others) {
            EXPECT_NE(rival, name);
            EXPECT_EQ(rule.apply(rival), rule.apply(name)) << name << " and " << rival;
        }
        std::ranges::sort(others);
        EXPECT_EQ(std::ranges::adjacent_find(others), others.end()) << name;
    }
}

TEST(RenameProperty, SourceOutputAndRivalsHaveTheSamePlacementKey) {
    RandomNames random(3);
    for (int round = 0; round < 20'000; ++round) {
        RenameRule rule = random.rule();
        const std::string name = random.name();
        for (const std::string& rival : rivals(rule, name)) EXPECT_EQ(placement_key(rival), placement_key(name)) << rival << " " << name;
        rule.prepend.clear();
        EXPECT_EQ(placement_key(rule.apply(name)), placement_key(name)) << name << " to " << rule.apply(name);
    }
}

}  // namespace
}  // namespace millrace
