#include "cli/arguments.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

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
    EXPECT_TRUE(submit.waiting.wait);
    EXPECT_FALSE(submit.waiting.watch);
    EXPECT_EQ(submit.waiting.timeout, "1m");
}

// What a shell makes of a variable that is not set.
TEST(Arguments, WhatIsEmptyIsRefused) {
    using Words = std::vector<std::string>;
    for (const Words& words : {Words{"rm", "-r", "ais://e", "--template", ""}, Words{"rm", "-r", "ais://e", "--list-file", ""},
                               Words{"rm", "-r", "ais://e", "--prefix", ""}, Words{"job", "wait", ""},
                               Words{"job", "show", ""}, Words{"etl", "show", ""}, Words{"get", "ais://a/x", "--etl", ""},
                               Words{"get", "ais://a/x", "-o", ""}, Words{"ls", "ais://a", "--endpoint", ""}}) {
        EXPECT_THAT(refused(words).message, HasSubstr("is empty")) << ::testing::PrintToString(words);
    }
    EXPECT_EQ(parsed<JobSubmit>({"job", "submit", "t", "ais://a", "ais://b", "--args", ""}).arguments, "");
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
    EXPECT_TRUE(run.waiting.wait);
    EXPECT_TRUE(run.waiting.watch);
}

TEST(Arguments, CopyIsAJobWithoutATransform) {
    const auto copy = parsed<JobSubmit>({"cp", "ais://a/p", "ais://b", "--ext", "flac:wav", "--overwrite", "changed", "--dry-run"});
    EXPECT_EQ(copy.operation, "copy");
    EXPECT_EQ(copy.source, "ais://a/p");
    EXPECT_EQ(copy.destination, "ais://b");
    EXPECT_EQ(copy.overwrite, "changed");
    EXPECT_EQ(copy.dry_run, "run");
    EXPECT_TRUE(copy.waiting.watch);
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

// The words of one line of a shell, up to a comment; what takes part in a pipe or a redirection is a word of its own.
std::vector<std::string> shell_words(const std::string& line) {
    std::vector<std::string> words(1);
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0 || c == '\'') {
            if (quote != 0 && c != quote) words.back() += c;
            quote = quote == 0 ? c : c == quote ? 0 : quote;
        } else if (c == '#' && words.back().empty()) {
            break;
        } else if (c == ' ' || c == '(' || c == ')') {
            if (!words.back().empty()) words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    if (words.back().empty()) words.pop_back();
    return words;
}

// What a shell would run of it that is millrace.
std::vector<std::string> millrace_of(const std::string& line) {
    std::vector<std::string> words = shell_words(line);
    words.erase(words.begin(), std::ranges::find(words, "millrace"));
    words.erase(std::ranges::find_if(words, [](const std::string& word) { return word == "|" || word == "<" || word == ">"; }), words.end());
    if (!words.empty()) words.erase(words.begin());
    return words;
}

std::vector<std::string> examples_of(const std::string& help) {
    std::istringstream lines(help);
    std::vector<std::string> examples;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line) && !line.empty()) examples.push_back(line);
    return examples;
}

TEST(Arguments, ExamplesAreWhatTheGrammarTakes) {
    EXPECT_THAT(millrace_of("  tar c . | millrace put - 'ais://b/a b'  # all"), ElementsAre("put", "-", "ais://b/a b"));
    for (const CommandWords& command : command_words()) {
        std::vector<std::string> args = command.path;
        args.push_back("--help");
        for (const std::string& example : examples_of(parsed<Help>(args).text)) {
            const std::vector<std::string> words = millrace_of(example);
            ASSERT_FALSE(words.empty()) << example;
            if (words[0] == "dev") continue;
            const auto invocation = parse_arguments(words);
            ASSERT_TRUE(invocation.has_value()) << example << ": " << invocation.error().message;
            EXPECT_FALSE(std::holds_alternative<Help>(invocation->verb)) << example;
            EXPECT_TRUE(std::equal(command.path.begin(), command.path.end(), words.begin())) << example << " is of another command";
        }
    }
}

TEST(Arguments, WhatIsStartedCanBeWaitedFor) {
    EXPECT_TRUE(parsed<JobControl>({"job", "retry", "job-1", "--wait"}).waiting.wait);
    EXPECT_TRUE(parsed<JobControl>({"job", "resume", "job-1", "--watch", "--timeout", "1m"}).waiting.watch);
    EXPECT_TRUE(parsed<EtlControl>({"etl", "start", "squeeze", "--wait"}).waiting.wait);
    EXPECT_TRUE(parsed<EtlControl>({"etl", "restart", "squeeze", "--new-version", "2", "--watch"}).waiting.watch);
    EXPECT_TRUE(parsed<BucketMove>({"bucket", "mv", "ais://a", "ais://b", "--wait"}).waiting.wait);
    EXPECT_EQ(parsed<BucketRemove>({"bucket", "rm", "ais://a", "--wait", "--timeout", "5s"}).waiting.timeout, "5s");
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"cp", "ais://a", "ais://b", "--wait"}, {"job", "run", "t", "ais://a", "ais://b", "--wait"}}) {
        EXPECT_TRUE(parsed<JobSubmit>(args).waiting.wait);
        EXPECT_FALSE(parsed<JobSubmit>(args).waiting.watch) << "quietly";
    }
    EXPECT_FALSE(parsed<Remove>({"rm", "-r", "ais://a", "--wait"}).job.waiting.watch);
    EXPECT_TRUE(parsed<Remove>({"rm", "-r", "ais://a", "--watch"}).job.waiting.watch);
    EXPECT_FALSE(refused({"rm", "ais://a/x", "--wait"}).message.empty()) << "there is no job";
    EXPECT_FALSE(refused({"job", "cancel", "job-1", "--wait"}).message.empty());
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
