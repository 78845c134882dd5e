#include "core/yaml_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::HasSubstr;

std::string repeated(const std::string& text, std::size_t times) {
    std::string whole;
    for (std::size_t i = 0; i < times; ++i) whole += text;
    return whole;
}

std::string error_of(const std::string& text) {
    const auto documents = yaml_documents(text, "it");
    return documents ? "" : documents.error().context;
}

TEST(YamlDocuments, AreReadWithoutTheEmptyOnes) {
    const auto documents = yaml_documents("---\na: 1\n---\n---\nb: &x [2]\nc: *x\n", "it");
    ASSERT_TRUE(documents);
    ASSERT_EQ(documents->size(), 2u);
    EXPECT_EQ((*documents)[1]["c"][0].Scalar(), "2");
}

TEST(YamlDocuments, JsonIsReadWithWhatYamlDoesNotKnow) {
    const std::string one = R"({"name": "a", "cmd": "echo \ud83d\ude00 \uD834\uDD1E \"\\ud83d\\ude00\" \u00e9", "\udbff\udfff": 1})";
    for (const std::string& text : {one, "--- " + one + "\n---\n" + one, "{\n\t\"x\":\n\t" + one + "}\n"}) {
        const auto documents = yaml_documents(text, "it");
        ASSERT_TRUE(documents) << documents.error().context;
        const YAML::Node node = (*documents)[0]["x"].IsDefined() ? (*documents)[0]["x"] : (*documents)[0];
        EXPECT_EQ(node["cmd"].Scalar(), "echo \U0001F600 \U0001D11E \"\\ud83d\\ude00\" \u00e9");
        EXPECT_EQ(node["\U0010FFFF"].Scalar(), "1");
    }
    const auto del = yaml_documents("{\"cmd\": \"a\x7f\"}", "it");
    ASSERT_TRUE(del) << del.error().context;
    EXPECT_EQ((*del)[0]["cmd"].Scalar(), "a\x7f");
    EXPECT_NE(error_of(R"({"cmd": "\ud83d"})"), "") << "half of a character";
    EXPECT_NE(error_of(R"({"cmd": "\ude00\ud83d"})"), "");
    const auto plain = yaml_documents("cmd: echo \\ud83d\\ude00\n", "it");
    ASSERT_TRUE(plain);
    EXPECT_EQ((*plain)[0]["cmd"].Scalar(), "echo \\ud83d\\ude00") << "no JSON";
}

TEST(YamlDocuments, ControlCharactersAreRefused) {
    for (const char c : {'\x01', '\x1b', '\x7f'}) {
        const auto refused = yaml_documents(std::string("name: a") + c + "b", "here");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().context, "here: holds control characters, which YAML does not allow");
    }
    EXPECT_TRUE(yaml_documents("name: a\r\nother:\tb\n", "here"));
}

TEST(YamlDocuments, NestingHasALimit) {
    for (const std::string open : {"[", "{a: ", "- ", "? ", "&a [", "[{a: "}) {
        EXPECT_NE(error_of(repeated(open, 50'000)), "") << open;
    }
    EXPECT_EQ(error_of(repeated("[", 60) + repeated("]", 60)), "");
    EXPECT_THAT(error_of(repeated("[", 100) + repeated("]", 100)), HasSubstr("nested too deeply"));
}

TEST(YamlDocuments, AliasesDoNotStandForMuch) {
    std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
    for (int i = 1; i < 9; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeated(before + ", ", 9) + before + "]\n";
    }
    EXPECT_THAT(error_of(laughs), HasSubstr("stands for too much"));
    EXPECT_THAT(error_of("a: &a " + std::string(100'000, 'x') + "\nb: [" + repeated("*a, ", 1000) + "*a]\n"), HasSubstr("stands for too much"));
    EXPECT_NE(error_of("&a [*a, *a]"), "");
    EXPECT_NE(error_of("a: &a {b: *a, c: *a}"), "");
}

TEST(YamlDocuments, SizeAndNumberHaveLimits) {
    EXPECT_THAT(error_of(std::string(1 << 20, 'a')), HasSubstr("of more than 256.0 KiB is not read"));
    EXPECT_THAT(error_of(repeated("---\na\n", 300)), HasSubstr("more than 256 documents"));
    EXPECT_THAT(error_of(repeated("|\n", 10'000)), HasSubstr("more than 256 documents"));
}

}  // namespace
}  // namespace millrace
