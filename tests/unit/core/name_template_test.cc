#include "core/name_template.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace millrace {
namespace {

bool matches(const std::string& text, const std::string& name) {
    const auto parsed = NameTemplate::parse(text);
    EXPECT_TRUE(parsed) << text;
    return parsed && parsed->matches(name);
}

TEST(NameTemplate, TextWithoutBracesIsAPrefix) {
    EXPECT_TRUE(matches("voices/", "voices/a.wav"));
    EXPECT_TRUE(matches("", "anything"));
    EXPECT_FALSE(matches("voices/", "voice"));
    EXPECT_TRUE(matches("user@home", "user@home/1"));
}

TEST(NameTemplate, PaddedRangeWantsItsWidth) {
    EXPECT_TRUE(matches("shard-{000..099}.tar", "shard-007.tar"));
    EXPECT_FALSE(matches("shard-{000..099}.tar", "shard-7.tar"));
    EXPECT_FALSE(matches("shard-{000..099}.tar", "shard-0007.tar"));
    EXPECT_FALSE(matches("shard-{000..099}.tar", "shard-100.tar"));
    EXPECT_FALSE(matches("shard-{000..099}.tar", "shard-007.tar.gz"));
}

TEST(NameTemplate, PaddedRangeIsAsWideAsItsWiderEnd) {
    EXPECT_TRUE(matches("x{08..120}", "x008"));
    EXPECT_TRUE(matches("x{08..120}", "x120"));
    EXPECT_FALSE(matches("x{08..120}", "x08"));
    EXPECT_FALSE(matches("x{08..120}", "x8"));
}

TEST(NameTemplate, RangeHasAStep) {
    EXPECT_TRUE(matches("x{1..9..4}", "x5"));
    EXPECT_FALSE(matches("x{1..9..4}", "x4"));
}

TEST(NameTemplate, ChoicesAndRangesCombine) {
    EXPECT_TRUE(matches("{train,test}/{a,b}{1..12}", "test/b11"));
    EXPECT_FALSE(matches("{train,test}/{a,b}{1..12}", "eval/b11"));
    EXPECT_FALSE(matches("{train,test}/{a,b}{1..12}", "test/b13"));
}

TEST(NameTemplate, AtCountsFromZero) {
    EXPECT_TRUE(matches("p@100", "p0"));
    EXPECT_TRUE(matches("p@100", "p99"));
    EXPECT_FALSE(matches("p@100", "p100"));
    EXPECT_FALSE(matches("p@100", "p007"));
}

TEST(NameTemplate, PrefixIsWhatEveryMatchStartsWith) {
    EXPECT_EQ(NameTemplate::parse("a/shard-{0..9}.tar")->prefix(), "a/shard-");
    EXPECT_EQ(NameTemplate::parse("{a,b}x")->prefix(), "");
    EXPECT_EQ(NameTemplate::parse("plain")->prefix(), "plain");
}

TEST(NameTemplate, MalformedTemplatesSayWhatIsWrong) {
    for (const char* text : {"x{", "x{1..", "x{a..c}", "x{9..1}", "x{1..9..0}", "x{1..2..3..4}", "p@0", "x{..}", "x{-1..2}",
                             "{a}{a}{a}{a}{a}{a}{a}{a}{a}", "x{1..99999999999999999999999}"}) {
        const auto parsed = NameTemplate::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Code::invalid_argument);
        EXPECT_NE(parsed.error().context.find(text), std::string::npos);
    }
}

// Each would take longer than anybody waits if every way to divide the name up were tried.
TEST(NameTemplate, WorkDoesNotDependOnTheWaysToDivideAName) {
    std::string choice = "{";
    for (int length = 1; length <= 40; ++length) choice += std::string(static_cast<std::size_t>(length), 'a') + (length < 40 ? "," : "}");
    const std::string as(1024, 'a');
    EXPECT_FALSE(matches(choice + "b", as));
    std::string many;
    for (int group = 0; group < 8; ++group) many += "{a,aa,aaa,aaaa,aaaaa,aaaaaa,aaaaaaa,aaaaaaaa,aaaaaaaaa,aaaaaaaaaa}";
    EXPECT_FALSE(matches(many + "b", as));
    EXPECT_TRUE(matches(many + "b", as.substr(0, 80) + "b"));
    EXPECT_FALSE(matches(many + "b", as.substr(0, 81) + "b"));
    std::string same;
    for (int group = 0; group < 8; ++group) same += "{,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,}";
    EXPECT_FALSE(matches(same + "b", "a"));
    EXPECT_TRUE(matches(same + "b", "b"));
    std::string ranges;
    for (int group = 0; group < 8; ++group) ranges += "{0..18446744073709551615}";
    EXPECT_FALSE(matches(ranges + "b", std::string(160, '1')));
    EXPECT_TRUE(matches(ranges + "b", std::string(152, '1') + "b"));
}

TEST(NameTemplate, LongTemplatesAreRefused) { EXPECT_FALSE(NameTemplate::parse(std::string(1025, 'a'))); }

// ---- against a generator of what bash's brace expansion gives

struct Generated {
    std::string text;
    std::vector<std::string> names{""};

    void append(const std::string& piece, const std::vector<std::string>& expansions) {
        text += piece;
        std::vector<std::string> longer;
        for (const std::string& name : names) {
            for (const std::string& expansion : expansions) longer.push_back(name + expansion);
        }
        names = std::move(longer);
    }
};

std::string padded(std::uint64_t value, std::size_t width) {
    std::string digits = std::to_string(value);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

Generated generate(std::mt19937_64& random) {
    Generated generated;
    const int pieces = 1 + static_cast<int>(random() % 4);
    bool group = false;
    for (int i = 0; i < pieces; ++i) {
        switch (random() % 3) {
            case 0: {
                const std::string literal(1 + random() % 2, static_cast<char>('0' + random() % 3));
                generated.append(literal, {literal});
                break;
            }
            case 1: {
                group = true;
                generated.append("{0,1x,12}", {"0", "1x", "12"});
                break;
            }
            default: {
                group = true;
                const std::uint64_t first = random() % 12;
                const std::uint64_t last = first + random() % 15;
                const std::uint64_t step = 1 + random() % 3;
                const std::size_t width = random() % 2 == 0 ? 0 : 2 + random() % 2;
                std::vector<std::string> values;
                for (std::uint64_t value = first; value <= last; value += step) values.push_back(padded(value, width));
                const std::string step_text = step == 1 ? "" : ".." + std::to_string(step);
                generated.append("{" + padded(first, width) + ".." + padded(last, width) + step_text + "}", values);
            }
        }
    }
    if (!group) generated.append("{a,b}", {"a", "b"});
    return generated;
}

TEST(NameTemplateProperty, MatchesExactlyTheBraceExpansion) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 300; ++round) {
        const Generated generated = generate(random);
        const auto parsed = NameTemplate::parse(generated.text);
        ASSERT_TRUE(parsed) << generated.text;
        const std::set<std::string> expanded(generated.names.begin(), generated.names.end());
        for (const std::string& name : expanded) {
            ASSERT_TRUE(parsed->matches(name)) << generated.text << " should match " << name;
            ASSERT_TRUE(name.starts_with(parsed->prefix())) << generated.text;
            // What is near a name is matched only if it is a name itself.
            for (const std::string& near : {name + "0", "0" + name, name.substr(1), name.substr(0, name.size() - 1)}) {
                ASSERT_EQ(parsed->matches(near), expanded.contains(near)) << generated.text << " and " << near;
            }
        }
    }
}

}  // namespace
}  // namespace millrace
