#include "spec/command_line.h"

#include <gtest/gtest.h>

namespace millrace::spec {
namespace {

using Words = std::vector<std::string>;

TEST(CommandLine, SplitsWordsAndQuotes) {
    EXPECT_EQ(*split_command("gzip -9"), (Words{"gzip", "-9"}));
    EXPECT_EQ(*split_command("  tr\t'a b'  \"c d\"e\\ f '' "), (Words{"tr", "a b", "c de f", ""}));
    EXPECT_EQ(*split_command("sed 's/a*$/b|c/'"), (Words{"sed", "s/a*$/b|c/"}));
    EXPECT_EQ(*split_command(R"(x "a\"b\\c\d" 'it'\''s')"), (Words{"x", R"(a"b\c\d)", "it's"}));
    EXPECT_EQ(*split_command("dd bs=1"), (Words{"dd", "bs=1"}));
    EXPECT_EQ(*split_command("serve --socket {socket} --port={port}"), (Words{"serve", "--socket", "{socket}", "--port={port}"}));
    EXPECT_EQ(*split_command(""), Words{});
}

TEST(CommandLine, ShellSyntaxGoesToTheShell) {
    for (const std::string text : {"gzip | cat", "a & b", "a; b", "cat < x", "cat > x", "(a)", "echo $HOME", "echo \"$HOME\"", "echo `x`",
                                   "ls *", "ls ?", "ls [a]", "echo {a,b}", "ls ~", "a # b", "A=1 env", "a\nb", "exit 3", "cd /", "if x"}) {
        EXPECT_EQ(*split_command(text), (Words{"/bin/sh", "-c", text})) << text;
    }
    EXPECT_EQ(*split_command("'A=1' env"), (Words{"A=1", "env"}));
    EXPECT_EQ(*split_command("env A=1"), (Words{"env", "A=1"}));
}

TEST(CommandLine, UnfinishedQuotesAreErrors) {
    EXPECT_FALSE(split_command("echo 'a").has_value());
    EXPECT_FALSE(split_command("echo \"a").has_value());
    EXPECT_FALSE(split_command("echo \\").has_value());
}

TEST(CommandLine, TextIsReadBackToTheSameWords) {
    const std::vector<Words> commands{{"gzip", "-9"}, {"x", "", "it's", "a b", "$HOME", "*", "a\nb", "\\", "\"", "ä"}, {"exit", "3"},
                                      {"A=1", "b"}, {"/bin/sh", "-c", "gzip | cat"}, {"/bin/sh", "-c", "gzip"}, {"/bin/sh", "-c"},
                                      {"{socket}"}, {"#a"}, {"~"}};
    for (const Words& words : commands) EXPECT_EQ(*split_command(command_text(words)), words) << command_text(words);
    EXPECT_EQ(command_text({"/bin/sh", "-c", "gzip | cat"}), "gzip | cat");
    EXPECT_EQ(command_text({"gzip", "-9"}), "gzip -9");
}

}  // namespace
}  // namespace millrace::spec
