#include <gmock/gmock.h>

#include "cli/job_spec.h"
#include "cli/session.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json spec_of(JobSubmit verb, const std::string& input = "") {
    verb.transform = "squeeze";
    if (verb.source.empty()) verb.source = "ais://a";
    verb.destination = "ais://b";
    std::istringstream in(input);
    const auto spec = job_spec(verb, in);
    return spec ? *spec : json(spec.error().context);
}

TEST(JobSpec, OnlyWhatWasGivenIsSet) {
    EXPECT_EQ(spec_of({}), json::parse(R"({"transform":"squeeze","source":"ais://a","destination":"ais://b"})"));
    EXPECT_EQ(spec_of({.source = "ais://a/p/q"}),
              json::parse(R"({"transform":"squeeze","source":"ais://a","destination":"ais://b","prefix":"p/q"})"));
    const json full = spec_of({.extensions = {"flac:wav", ".ogg:.wav"},
                               .prepend = "new/",
                               .arguments = "-9",
                               .overwrite = "never",
                               .num_workers = 0,
                               .dry_run = "plan",
                               .object_timeout = "10s",
                               .attempts = 1,
                               .on_error = "abort-after=5%"});
    EXPECT_EQ(full["ext"], json::parse(R"({"flac":"wav","ogg":"wav"})"));
    EXPECT_EQ(full["prepend"], "new/");
    EXPECT_EQ(full["args"], "-9");
    EXPECT_EQ(full["overwrite"], "never");
    EXPECT_EQ(full["num_workers"], 0);
    EXPECT_EQ(full["dry_run"], "plan");
    EXPECT_EQ(full["object_timeout"], "10s");
    EXPECT_EQ(full["attempts"], 1);
    EXPECT_EQ(full["on_error"], "abort-after:5%");
}

TEST(JobSpec, NamesComeFromListsAndFiles) {
    EXPECT_EQ(spec_of({.lists = {"a,b", "c,"}})["objects"], json::parse(R"(["a","b","c"])"));
    EXPECT_EQ(spec_of({.list_file = "-"}, "x, y\r\n\nz")["objects"], json::parse(R"(["x, y","z"])"));
    EXPECT_THAT(spec_of({.list_file = "-"}, "ok\n../bad\n").get<std::string>(), HasSubstr("line 2"));
    EXPECT_THAT(spec_of({.list_file = "-"}, "\n").get<std::string>(), HasSubstr("names no object"));
    EXPECT_THAT(spec_of({.list_file = "/no/such"}).get<std::string>(), HasSubstr("/no/such"));
}

TEST(JobSpec, ContradictionsAndMistakesAreRefused) {
    EXPECT_THAT(spec_of({.source = "ais://a/p", .prefix = "q"}).get<std::string>(), HasSubstr("given twice"));
    EXPECT_THAT(spec_of({.prefix = "q", .lists = {"a"}}).get<std::string>(), HasSubstr("exclude each other"));
    EXPECT_THAT(spec_of({.lists = {"a"}, .name_template = "x{0..9}"}).get<std::string>(),
                HasSubstr("exclude each other"));
    EXPECT_THAT(spec_of({.extensions = {"flac"}}).get<std::string>(), HasSubstr("old:new"));
    EXPECT_THAT(spec_of({.extensions = {"a:b", "a:c"}}).get<std::string>(), HasSubstr("twice"));
    EXPECT_THAT(spec_of({.object_timeout = "soon"}).get<std::string>(), HasSubstr("--object-timeout"));
    EXPECT_THAT(spec_of({.on_error = "abort-after="}).get<std::string>(), HasSubstr("--on-error"));
    EXPECT_THAT(spec_of({.arguments = "\xff"}).get<std::string>(), HasSubstr("UTF-8"));
    std::istringstream in;
    const auto spec = job_spec({.transform = "t", .source = "ais://a", .destination = "ais://b/x"}, in);
    EXPECT_THAT(spec.error().context, HasSubstr("--prepend x"));
}

TEST(JobSpec, ACopyAndARemovalNameTheirOperation) {
    std::istringstream in;
    EXPECT_EQ(*job_spec({.operation = "copy", .source = "ais://a/p/", .destination = "ais://b", .prepend = "x/"}, in),
              json::parse(R"({"operation":"copy","source":"ais://a","destination":"ais://b","prefix":"p/","prepend":"x/"})"));
    EXPECT_EQ(*job_spec({.operation = "delete", .source = "ais://a", .lists = {"b,c"}}, in),
              json::parse(R"({"operation":"delete","source":"ais://a","objects":["b","c"]})"));
    EXPECT_FALSE(job_spec({.operation = "copy", .source = "ais://a"}, in)) << "without a destination";
}

TEST(JobSubmit, CopyingAndRemovingAreJobsThatAreFollowed) {
    const std::string job = R"({"id":"job-1","operation":"copy","transform":"","state":"completed","objects":{"total":1,"total_known":true,"done":1}})";
    FakeNode proxy(script({{"POST /v1/jobs", {{202, job}}}, {"GET /v1/jobs/job-1", {{200, job}}}, {"GET /v1/jobs", {{200, "[" + job + "]"}}}}));
    const Outcome copied = proxy.run({"cp", "ais://a/p", "ais://b"});
    EXPECT_EQ(copied.status, kExitDone) << copied.err;
    EXPECT_EQ(copied.out, "job-1\n");
    EXPECT_EQ(json::parse(proxy.seen()[0].body), json::parse(R"({"operation":"copy","source":"ais://a","destination":"ais://b","prefix":"p"})"));
    EXPECT_EQ(proxy.run({"rm", "-r", "ais://a/p"}).status, kExitDone);
    EXPECT_EQ(json::parse(proxy.seen()[2].body), json::parse(R"({"operation":"delete","source":"ais://a","prefix":"p"})"));
    EXPECT_THAT(proxy.run({"job", "ls"}).out, HasSubstr("copy"));
    EXPECT_EQ(proxy.run({"rm", "-r", "ais://a", "ais://b"}).status, kExitUsage) << "each would be a job";
    EXPECT_EQ(proxy.run({"cp", "ais://a", "ais://b/x"}).status, kExitUsage);
}

TEST(JobSubmit, PrintsTheIdAloneAndSendsAKey) {
    FakeNode proxy(script({{"POST /v1/jobs", {{202, R"({"id":"job-1","state":"preparing"})"}}}}));
    const Outcome outcome = proxy.run({"job", "submit", "squeeze", "ais://a", "ais://b", "--idempotency-key", "k1"});
    EXPECT_EQ(outcome.status, kExitDone);
    EXPECT_EQ(outcome.out, "job-1\n");
    EXPECT_EQ(proxy.seen()[0].headers.find("Idempotency-Key"), "k1");
    EXPECT_EQ(json::parse(proxy.seen()[0].body)["transform"], "squeeze");
    EXPECT_EQ(json::parse(proxy.run({"job", "submit", "squeeze", "ais://a", "ais://b", "-o", "json"}).out)["id"],
              "job-1");
}

TEST(JobSubmit, IsSentAgainWithTheSameKeyWhenTheAnswerIsLost) {
    FakeNode proxy(script({{"POST /v1/jobs", {{503, ""}, {202, R"({"id":"job-1"})"}}}}));
    EXPECT_EQ(proxy.run({"job", "submit", "squeeze", "ais://a", "ais://b"}).out, "job-1\n");
    ASSERT_EQ(proxy.seen().size(), 2u);
    EXPECT_EQ(proxy.seen()[0].headers.find("Idempotency-Key"), proxy.seen()[1].headers.find("Idempotency-Key"));
    EXPECT_EQ(proxy.seen()[0].body, proxy.seen()[1].body);
}

TEST(JobSubmit, ARefusalIsReported) {
    FakeNode proxy([](const Seen&, http::Response& response) {
        return answer_error(response, fail(Code::invalid_argument, "'num_workers' is too large"));
    });
    const Outcome outcome = proxy.run({"job", "submit", "squeeze", "ais://a", "ais://b"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_EQ(outcome.err, "millrace: job submit: 'num_workers' is too large\n");
    EXPECT_EQ(proxy.run({"job", "submit", "squeeze", "ais://a", "ais://b", "--timeout", "1s"}).status, kExitUsage);
}

TEST(Job, ListAndShow) {
    const std::string job =
        R"({"id":"job-1","transform":"squeeze","source":"ais://a","destination":"ais://b","state":"failed","reason":"too many failures",
        "objects":{"total":10,"total_known":true,"done":4,"failed":2,"quarantined":1},"bytes":{"total":100,"in":40,"out":20},"created_at":"then",
        "slices":[{"target":"t-1","online":false,"state":"waiting","reason":"offline","objects":{"total":10,"total_known":true,"done":4},"bytes":{}}]})";
    FakeNode proxy(
        script({{"GET /v1/jobs?state=failed", {{200, "[" + job + "]"}}}, {"GET /v1/jobs/job-1", {{200, job}}}}));
    EXPECT_THAT(proxy.run({"job", "ls", "--state", "failed"}).out,
                HasSubstr("job-1  failed  squeeze  ais://a  ais://b         7/10       3  then"));
    const std::string shown = proxy.run({"job", "show", "job-1"}).out;
    EXPECT_THAT(shown, HasSubstr("(too many failures)"));
    EXPECT_THAT(shown, HasSubstr("go on with:   millrace job resume job-1"));
    EXPECT_THAT(shown, HasSubstr("waiting (offline)"));
    EXPECT_EQ(json::parse(proxy.run({"job", "show", "job-1", "--json"}).out), json::parse(job));
    EXPECT_EQ(proxy.run({"job", "show", "job-2"}).status, kExitNotFound);
}

TEST(Job, ControlSaysTheNewState) {
    FakeNode proxy(script({{"POST /v1/jobs/job-1/pause", {{200, R"({"id":"job-1","state":"paused"})"}}},
                           {"POST /v1/jobs/job-1/resume?with_current=true", {{200, R"({"id":"job-1","state":"running"})"}}},
                           {"DELETE /v1/jobs/job-1", {{200, ""}}}}));
    EXPECT_EQ(proxy.run({"job", "pause", "job-1"}).out, "job-1 paused\n");
    EXPECT_EQ(proxy.run({"job", "resume", "job-1", "--with-current"}).out, "job-1 running\n");
    EXPECT_EQ(proxy.run({"job", "cancel", "job-2"}).status, kExitNotFound);
    EXPECT_EQ(proxy.run({"job", "rm", "job-1"}).status, kExitDone);
}

TEST(JobErrors, PrintsAllPagesOrSoMany) {
    const std::string first =
        R"({"errors":[{"object":"ais://a/1","class":"failed","code":"rejected","message":"exit\nstatus","attempts":1,"target":"t-1"}],"cursor":"c1"})";
    const std::string second =
        R"({"errors":[{"object":"ais://a/2"},{"object":"ais://a/3"}],"cursor":"","unreachable":["t-9"]})";
    FakeNode proxy(script({{"GET /v1/jobs/job-1/errors?limit=1000", {{200, first}}},
                           {"GET /v1/jobs/job-1/errors?limit=1000&cursor=c1", {{200, second}}},
                           {"GET /v1/jobs/job-1/errors?limit=2", {{200, first}}},
                           {"GET /v1/jobs/job-1/errors?limit=2&cursor=c1", {{200, second}}}}));
    const Outcome all = proxy.run({"job", "errors", "job-1", "-o", "json"});
    EXPECT_EQ(all.status, kExitFailedObjects) << "they are not all";
    EXPECT_EQ(json::parse(all.out).size(), 3u);
    EXPECT_THAT(all.err, HasSubstr("offline: t-9"));
    EXPECT_EQ(json::parse(proxy.run({"job", "errors", "job-1", "--limit", "2", "-o", "json"}).out).size(), 2u);
    EXPECT_THAT(proxy.run({"job", "errors", "job-1"}).out,
                HasSubstr("ais://a/1  failed  rejected         1  t-1     exit\\x0astatus"));
}

TEST(JobErrors, ATargetThatCannotSayIsNamedWithItsReason) {
    FakeNode proxy(script({{"GET /v1/jobs/job-1/errors?limit=1000",
                            {{200, R"({"errors":[],"cursor":"","unreachable":[],"problems":{"t-3":"a row is damaged"}})"}}}}));
    const Outcome outcome = proxy.run({"job", "errors", "job-1"});
    EXPECT_EQ(outcome.status, kExitFailedObjects);
    EXPECT_THAT(outcome.err, HasSubstr("target t-3 cannot say: a row is damaged"));
}

TEST(JobErrors, APageThatIsTooLargeComesInParts) {
    const std::string much(kReplyBytesMax + 1, ' ');
    const std::string base = "GET /v1/jobs/job-1/errors?limit=";
    FakeNode proxy(script({{base + "1000", {{200, R"({"errors":[],"cursor":"c1"})"}}},
                           {base + "1000&cursor=c1", {{200, much}}},
                           {base + "500&cursor=c1", {{200, R"({"errors":[{"object":"ais://a/1"}],"cursor":""})"}}}}));
    const Outcome outcome = proxy.run({"job", "errors", "job-1"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("ais://a/1"));
}

TEST(JobErrors, AnAnswerWithoutRowsIsNoEmptyList) {
    FakeNode proxy(script({{"GET /v1/jobs/job-1/errors?limit=1000", {{200, R"({"rows":[]})"}}}}));
    const Outcome outcome = proxy.run({"job", "errors", "job-1"});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("the reply has no 'errors'"));
}

TEST(JobReport, IsPassedThroughUnchanged) {
    std::string report = R"({"kind":"job","id":"job-1"})" "\n";
    for (int i = 0; i < 20'000; ++i) report += R"({"kind":"error","object":"ais://a/)" + std::to_string(i) + "\"}\n";
    const std::string complete = report + R"({"kind":"end","errors":20000,"complete":true})" "\n";
    const std::string partial = report + R"({"kind":"end","errors":20000,"complete":false})" "\n";
    FakeNode proxy(script({{"GET /v1/jobs/1/report", {{200, complete}}},
                           {"GET /v1/jobs/2/report", {{200, partial}}},
                           {"GET /v1/jobs/3/report", {{200, report}}}}));
    const Outcome whole = proxy.run({"job", "report", "1"});
    EXPECT_EQ(whole.status, kExitDone);
    EXPECT_EQ(whole.out, complete);
    EXPECT_EQ(whole.err, "");
    EXPECT_THAT(proxy.run({"job", "report", "2"}).err, HasSubstr("not complete"));
    EXPECT_EQ(proxy.run({"job", "report", "2"}).status, kExitFailedObjects);
    EXPECT_EQ(proxy.run({"job", "report", "3"}).status, kExitFailed);
}

}  // namespace
}  // namespace millrace::cli
