#include "runtime/shell_pipeline.h"

#include <gtest/gtest.h>

#include "spec/command_line.h"

namespace millrace::runtime {
namespace {

bool is_made_to_fail(const std::string& command) { return failing_pipeline(spec::split_command(command).value(), "/bin/bash").has_value(); }

TEST(ShellPipeline, IsATextWithAPipeOutsideOfQuotes) {
    EXPECT_TRUE(is_made_to_fail("gunzip -c | sort -u"));
    EXPECT_TRUE(is_made_to_fail("A=1 a|b"));
    EXPECT_TRUE(is_made_to_fail("a || b | c"));
    EXPECT_TRUE(is_made_to_fail("echo 'x' \"y\" | c"));
    EXPECT_FALSE(is_made_to_fail("a || b"));
    EXPECT_FALSE(is_made_to_fail("grep 'a|b' > $TMPDIR/x; cat"));
    EXPECT_FALSE(is_made_to_fail("grep \"a|b\"; cat"));
    EXPECT_FALSE(is_made_to_fail("grep a\\|b; cat"));
    EXPECT_FALSE(is_made_to_fail("gzip -n"));
    EXPECT_FALSE(is_made_to_fail("grep 'a|b'")) << "no shell at all";
}

TEST(ShellPipeline, KeepsTheTextAsItIs) {
    const std::vector<std::string> argv{"/bin/sh", "-c", "a | b"};
    EXPECT_EQ(failing_pipeline(argv, "/usr/bin/bash")->front(), "/usr/bin/bash");
    EXPECT_EQ(failing_pipeline(argv, "/usr/bin/bash")->back(), "a | b");
    EXPECT_EQ(failing_pipeline(argv, "")->front(), "/bin/sh");
    EXPECT_TRUE(failing_pipeline(argv, "")->back().ends_with("\na | b"));
}

TEST(ShellPipeline, AShellThatSomebodyChoseIsTheirs) {
    EXPECT_FALSE(failing_pipeline({"/bin/dash", "-c", "a | b"}, "/bin/bash"));
    EXPECT_FALSE(failing_pipeline({"/bin/sh", "-c", "a | b", "x"}, "/bin/bash"));
    EXPECT_FALSE(failing_pipeline({"/bin/sh", "-ec", "a | b"}, "/bin/bash"));
}

}  // namespace
}  // namespace millrace::runtime
