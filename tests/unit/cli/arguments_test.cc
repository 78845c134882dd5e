#include "cli/arguments.h"

#include <gmock/gmock.h>

#include "cli/completion.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <class V>
V parsed(std::vector<std::string> args) {
    auto invocation = parse_arguments(std::move(args));
    if (!invocation) {
        ADD_FAILURE() << invocation.error().message;
        return {};
    }
    if (!std::holds_alternative<V>(invocation->verb)) {
        ADD_FAILURE() << "another verb";
        return {};
    }
    return std::get<V>(invocation->verb);
}

UsageError refused(std::vector<std::string> args) {
    auto invocation = parse_arguments(std::move(args));
    if (!invocation) return invocation.error();
    ADD_FAILURE() << "was accepted";
    return {};
}

TEST(Arguments, JobSubmitTakesAllItsFlags) {
    const auto submit = parsed<JobSubmit>({"job",
                                           "submit",
                                           "to-wav16",
                                           "--ext",
                                           "flac:wav",
                                           "--ext",
                                           "ogg:wav",
                                           "ais://a/p/",
                                           "ais://b",
                                           "--list",
                                           "x,y",
                                           "--list",
                                           "z",
                                           "--prepend",
                                           "new/",
                                           "--args",
                                           "-q 5",
                                           "--overwrite",
                                           "changed",
                                           "--num-workers",
                                           "4",
                                           "--object-timeout",
                                           "10s",
                                           "--attempts",
                                           "2",
                                           "--on-error",
                                           "abort-after=1%",
                                           "--idempotency-key",
                                           "k",
                                           "--wait",
                                           "--timeout",
                                           "1m"});
    EXPECT_EQ(submit.transform, "to-wav16");
    EXPECT_EQ(submit.source, "ais://a/p/");
    EXPECT_EQ(submit.destination, "ais://b");
    EXPECT_THAT(submit.extensions, ElementsAre("flac:wav", "ogg:wav"));
    EXPECT_THAT(submit.lists, ElementsAre("x,y", "z"));
    EXPECT_EQ(submit.prepend, "new/");
    EXPECT_EQ(submit.arguments, "-q 5");
    EXPECT_EQ(submit.overwrite, "changed");
    EXPECT_EQ(submit.num_workers, 4u);
    EXPECT_EQ(submit.attempts, 2u);
    EXPECT_EQ(submit.on_error, "abort-after=1%");
    EXPECT_TRUE(submit.wait);
    EXPECT_FALSE(submit.watch);
    EXPECT_EQ(submit.timeout, "1m");
}

TEST(Arguments, ABareDryRunMeansRunAndTakesNoWord) {
    const auto bare = parsed<JobSubmit>({"job", "submit", "--dry-run", "squeeze", "ais://a", "ais://b"});
    EXPECT_EQ(bare.dry_run, "run");
    EXPECT_EQ(bare.transform, "squeeze");
    EXPECT_EQ(parsed<JobSubmit>({"job", "submit", "squeeze", "ais://a", "ais://b", "--dry-run=plan"}).dry_run, "plan");
    EXPECT_FALSE(refused({"job", "submit", "squeeze", "ais://a", "ais://b", "--dry-run=maybe"}).message.empty());
}

TEST(Arguments, JobRunIsSubmitThatWatches) {
    const auto run = parsed<JobSubmit>({"job", "run", "squeeze", "ais://a", "ais://b"});
    EXPECT_TRUE(run.wait);
    EXPECT_TRUE(run.watch);
}

TEST(Arguments, CopyIsAJobWithoutATransform) {
    const auto copy = parsed<JobSubmit>({"cp", "ais://a/p", "ais://b", "--ext", "flac:wav", "--overwrite", "changed", "--dry-run"});
    EXPECT_EQ(copy.operation, "copy");
    EXPECT_EQ(copy.source, "ais://a/p");
    EXPECT_EQ(copy.destination, "ais://b");
    EXPECT_EQ(copy.overwrite, "changed");
    EXPECT_EQ(copy.dry_run, "run");
    EXPECT_TRUE(copy.watch);
    EXPECT_FALSE(refused({"cp", "ais://a", "ais://b", "--args", "x"}).message.empty());
    EXPECT_FALSE(refused({"cp", "ais://a"}).message.empty());
}

TEST(Arguments, RemovingManyIsAsBigAsItsFlagSays) {
    EXPECT_FALSE(parsed<Remove>({"rm", "ais://a/x", "ais://a/y"}).recursive);
    const auto many = parsed<Remove>({"rm", "-r", "ais://a", "--template", "x{0..9}"});
    EXPECT_TRUE(many.recursive);
    EXPECT_EQ(many.job.operation, "delete");
    EXPECT_EQ(many.job.name_template, "x{0..9}");
    EXPECT_FALSE(refused({"rm", "ais://a/x", "--template", "x{0..9}"}).message.empty()) << "a selection is for -r";
}

TEST(Arguments, OutputAndEndpointStandAnywhere) {
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"-o", "json", "--endpoint", "http://x:1", "job", "ls"},
          {"job", "-o", "json", "--endpoint", "http://x:1", "ls"},
          {"job", "ls", "--endpoint=http://x:1", "--json"}}) {
        const auto invocation = parse_arguments(args);
        ASSERT_TRUE(invocation.has_value()) << invocation.error().message;
        EXPECT_TRUE(invocation->json);
        EXPECT_EQ(invocation->endpoint, "http://x:1");
        EXPECT_TRUE(std::holds_alternative<JobList>(invocation->verb));
    }
    EXPECT_FALSE(refused({"job", "ls", "-o", "xml"}).message.empty());
}

TEST(Arguments, OfGetTheShortFlagIsTheFile) {
    const auto get = parsed<Get>({"get", "ais://b/o", "-o", "-", "--etl", "squeeze", "--args", "9"});
    EXPECT_EQ(get.output, "-");
    EXPECT_EQ(get.transform, "squeeze");
    EXPECT_EQ(get.arguments, "9");
    const auto invocation = parse_arguments({"get", "ais://b/o", "--output", "json"});
    ASSERT_TRUE(invocation.has_value());
    EXPECT_TRUE(invocation->json);
}

TEST(Arguments, WordsThatNameVerbsMayBeOperands) {
    EXPECT_EQ(parsed<Put>({"put", "ls", "ais://b"}).source, "ls");
    EXPECT_EQ(parsed<Put>({"put", "-", "ais://b/x"}).source, "-");
    EXPECT_EQ(parsed<JobShow>({"job", "show", "ls"}).job, "ls");
}

TEST(Arguments, ControlVerbsCarryTheirName) {
    EXPECT_EQ(parsed<JobControl>({"job", "resume", "job-1"}).verb, "resume");
    EXPECT_FALSE(parsed<JobControl>({"job", "retry", "job-1"}).with_current);
    EXPECT_TRUE(parsed<JobControl>({"job", "retry", "job-1", "--with-current"}).with_current);
    EXPECT_FALSE(refused({"job", "cancel", "job-1", "--with-current"}).message.empty());
    EXPECT_EQ(parsed<EtlControl>({"etl", "rm", "squeeze"}).verb, "rm");
    EXPECT_EQ(parsed<EtlControl>({"etl", "rm", "squeeze"}).name, "squeeze");
    EXPECT_EQ(parsed<EtlControl>({"etl", "stop", "-f", "x.yaml"}).file, "x.yaml");
    EXPECT_THAT(refused({"etl", "stop"}).message, HasSubstr("etl stop needs the name"));
    EXPECT_FALSE(refused({"etl", "stop", "squeeze", "-f", "x.yaml"}).message.empty());
}

TEST(Arguments, MistakesGetASuggestion) {
    EXPECT_EQ(refused({"jobb", "ls"}).hint, "did you mean: millrace job?");
    EXPECT_EQ(refused({"job", "submitt"}).hint, "did you mean: millrace job submit?");
    EXPECT_EQ(refused({"job", "submit", "t", "ais://a", "ais://b", "--overwrit", "always"}).hint,
              "did you mean: --overwrite?");
    EXPECT_THAT(refused({"zzzzzz"}).hint, HasSubstr("millrace --help"));
    EXPECT_THAT(refused({"job", "show"}).hint, HasSubstr("millrace job show --help"));
}

TEST(Arguments, EtlInitNeedsAFileOrNameAndCommand) {
    EXPECT_EQ(parsed<EtlInit>({"etl", "init", "-f", "x.yaml"}).file, "x.yaml");
    EXPECT_EQ(parsed<EtlInit>({"etl", "init", "--name", "squeeze", "--cmd", "gzip -9"}).cmd, "gzip -9");
    EXPECT_THAT(refused({"etl", "init"}).message, HasSubstr("specification"));
    EXPECT_FALSE(refused({"etl", "init", "--name", "squeeze"}).message.empty());
    EXPECT_FALSE(refused({"etl", "init", "--cmd", "cat"}).message.empty());
    EXPECT_EQ(parsed<EtlInit>({"etl", "init", "-f", "x.yaml", "--name", "squeeze"}).values.name, "squeeze");
    EXPECT_FALSE(refused({"etl", "init", "--name", "squeeze", "--cmd", "cat", "-f", "x"}).message.empty());
}

TEST(Arguments, HelpBeginsWithExamples) {
    for (const CommandWords& command : command_words()) {
        std::vector<std::string> args = command.path;
        args.push_back("--help");
        const auto help = parsed<Help>(args);
        EXPECT_EQ(help.status, kExitDone);
        EXPECT_THAT(help.text, StartsWith("Examples:\n  ")) << (command.path.empty() ? "" : command.path.back());
    }
    EXPECT_THAT(parsed<Help>({"help", "job", "submit"}).text, HasSubstr("--on-error"));
}

TEST(Arguments, ANounAloneShowsItsHelpAsAMistake) {
    EXPECT_EQ(parsed<Help>({}).status, kExitUsage);
    const auto help = parsed<Help>({"job"});
    EXPECT_EQ(help.status, kExitUsage);
    EXPECT_THAT(help.text, HasSubstr("submit"));
}

TEST(Cli, UsageMistakesAreStatusTwoAndOneLineWithAHint) {
    const Outcome outcome = run_command({"jobb"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_EQ(outcome.err, "millrace: unknown command 'jobb'\n  did you mean: millrace job?\n");
    EXPECT_EQ(outcome.out, "");
}

TEST(Cli, VersionNeedsNoCluster) {
    EXPECT_THAT(run_command({"version"}).out, StartsWith("millrace "));
    EXPECT_EQ(run_command({"--version"}).status, kExitDone);
    EXPECT_TRUE(nlohmann::json::parse(run_command({"version", "-o", "json"}).out).contains("version"));
}

TEST(Completion, ScriptsKnowVerbsAndFlags) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const Outcome outcome = run_command({"completion", shell});
        EXPECT_EQ(outcome.status, kExitDone);
        for (const char* word : {"submit", "bucket", "overwrite", "idempotency-key", "dev"}) {
            EXPECT_THAT(outcome.out, HasSubstr(word)) << shell;
        }
    }
    EXPECT_EQ(run_command({"completion", "tcsh"}).status, kExitUsage);
}

TEST(Completion, TheBashScriptCompletes) {
    const std::string script = run_command({"completion", "bash"}).out;
    TemporaryFolder folder;
    folder.write("script", script + R"(
COMP_WORDS=(millrace job su); COMP_CWORD=2; _millrace; echo "${COMPREPLY[*]}" > "$1"
COMP_WORDS=(millrace job submit --idem); COMP_CWORD=3; _millrace; echo "${COMPREPLY[*]}" >> "$1"
COMP_WORDS=(millrace put file --end); COMP_CWORD=3; _millrace; echo "${COMPREPLY[*]}" >> "$1"
)");
    const std::string command = "bash " + folder.path("script") + " " + folder.path("out");
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(folder.read("out"), "submit\n--idempotency-key\n--endpoint\n");
}

}  // namespace
}  // namespace millrace::cli
