#include "core/placement.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace millrace {
namespace {

std::vector<TargetId> targets(std::size_t count) {
    std::vector<TargetId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.emplace_back("target-" + std::to_string(i));
    return ids;
}

TEST(Placement, KeyIsTheNameWithoutItsExtensions) {
    EXPECT_EQ(placement_key("a/b/clip7.flac"), "a/b/clip7");
    EXPECT_EQ(placement_key("a.d/clip7.tar.gz"), "a.d/clip7");
    EXPECT_EQ(placement_key("clip7"), "clip7");
    EXPECT_EQ(placement_key("a.d/clip7"), "a.d/clip7");
    EXPECT_EQ(placement_key("clip7."), "clip7.");
    EXPECT_EQ(placement_key("clip7.seg.json"), placement_key("clip7.jpg"));
    EXPECT_EQ(placement_key("a.d/clip7.7z"), "a.d/clip7");
}

TEST(Placement, WhatNumbersAnObjectIsNoExtension) {
    EXPECT_EQ(placement_key("seq.0001.exr"), "seq.0001");
    EXPECT_EQ(placement_key("part.00017.parquet"), "part.00017");
    EXPECT_EQ(placement_key("data.2024-01-15.json"), "data.2024-01-15");
    EXPECT_EQ(placement_key("shot.v017.exr.gz"), "shot.v017");
    EXPECT_EQ(placement_key("log.1"), "log.1");
    EXPECT_EQ(placement_key("app.d41d8cd9.js.gz"), "app.d41d8cd9");
    EXPECT_EQ(placement_key("x.a-sentence-rather-than-an-extension.txt"), "x.a-sentence-rather-than-an-extension");
    for (const char* extension :
         {"flac", "mp3", "m3u8", "7z", "h264", "sha256", "JPEG", "safetensors", "данные"}) EXPECT_TRUE(is_extension(extension)) << extension;
    for (const char* number : {"", "1", "0001", "v017", "f1001", "1-2"}) EXPECT_FALSE(is_extension(number)) << number;
}

TEST(Placement, NumberedNamesAreSpread) {
    const std::vector<TargetId> ids = targets(3);
    const auto share_of_the_first = [&](auto name_of) {
        int first = 0;
        for (int i = 0; i < 3000; ++i) first += owner_of(name_of(std::to_string(10'000 + i)), ids) == ids.front();
        return first;
    };
    EXPECT_NEAR(share_of_the_first([](const std::string& i) { return "sq010." + i + ".exr"; }), 1000, 120);
    EXPECT_NEAR(share_of_the_first([](const std::string& i) { return "sq010.frame" + i + ".exr.gz"; }), 1000, 120);
    EXPECT_NEAR(share_of_the_first([](const std::string& i) { return "part." + i + ".snappy.parquet"; }), 1000, 120);
}

TEST(Placement, LeadingDotsDoNotStartAnExtension) {
    EXPECT_EQ(placement_key(".hidden"), ".hidden");
    EXPECT_EQ(placement_key("a/.hidden.txt"), "a/.hidden");
    EXPECT_EQ(placement_key("..."), "...");
    EXPECT_EQ(placement_key("a/..b.c"), "a/..b");
}

TEST(Placement, OwnerIsTheSameWhateverTheOrderOfTheTargets) {
    std::vector<TargetId> ids = targets(5);
    const std::vector<TargetId> reversed(ids.rbegin(), ids.rend());
    for (int i = 0; i < 200; ++i) {
        const std::string name = "clip" + std::to_string(i) + ".wav";
        EXPECT_EQ(owner_of(name, ids), owner_of(name, reversed));
    }
}

TEST(Placement, OwnersArePinned) {  // data on disk relies on them
    const std::vector<TargetId> ids = targets(3);
    std::string owners;
    for (int i = 0; i < 24; ++i) owners += owner_of("clip" + std::to_string(i) + ".wav", ids).str().back();
    EXPECT_EQ(owners, "111100111112022222101111");
}

TEST(Placement, IsAValueWithAnEpoch) {
    const Placement none;
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none.epoch(), 0u);
    EXPECT_EQ(none.owner("clip.wav"), nullptr);
    EXPECT_EQ(Placement(3, {}).owner("clip.wav"), nullptr);
    const std::vector<TargetId> ids = targets(5);
    Placement now(3, ids);
    const Placement before = now;
    EXPECT_EQ(before, now);
    EXPECT_EQ(before, Placement(3, ids)) << "by what it is, not by where it lies";
    EXPECT_NE(before, Placement(4, ids));
    EXPECT_NE(before, Placement(3, targets(4)));
    EXPECT_NE(before, none);
    now = Placement(4, targets(1));
    EXPECT_EQ(before.epoch(), 3u) << "what was computed with it stays true";
    for (int i = 0; i < 200; ++i) {
        const std::string name = "clip" + std::to_string(i) + ".wav";
        EXPECT_EQ(*before.owner(name), owner_of(name, ids));
    }
}

TEST(Placement, TargetsShareTheObjectsEvenly) {
    const std::vector<TargetId> ids = targets(4);
    std::map<TargetId, int> counts;
    for (int i = 0; i < 20'000; ++i) ++counts[owner_of("folder/clip" + std::to_string(i) + ".flac", ids)];
    for (const TargetId& id : ids) EXPECT_NEAR(counts[id], 5000, 300) << id;
}

TEST(Placement, LosingATargetMovesOnlyItsOwnObjects) {
    const std::vector<TargetId> four = targets(4);
    const std::vector<TargetId> three(four.begin(), four.end() - 1);
    for (int i = 0; i < 2000; ++i) {
        const std::string name = "clip" + std::to_string(i);
        if (owner_of(name, four) != four.back()) EXPECT_EQ(owner_of(name, three), owner_of(name, four)) << name;
    }
}

}  // namespace
}  // namespace millrace
