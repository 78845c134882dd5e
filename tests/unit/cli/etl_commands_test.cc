#include <gmock/gmock.h>

#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Registers what has a line "name: …", refuses what says "bad".
Task<void> registry(const Seen& seen, http::Response& response) {
    if (seen.body.find("bad") != std::string::npos) {
        return answer_error(response, fail(Code::invalid_argument, "line 1: no such field"));
    }
    return answer_json(response, json::parse(R"({"name":"squeeze","warnings":["unknown key 'comand'"]})"));
}

TEST(EtlInit, AFilterNeedsNoFile) {
    FakeNode proxy(registry);
    const Outcome outcome = proxy.run({"etl", "init", "--name", "squeeze", "--cmd", "gzip -9"});
    EXPECT_EQ(outcome.status, kExitDone);
    EXPECT_EQ(outcome.out, "etl squeeze runs on every online target\n");
    EXPECT_EQ(outcome.err, "millrace: etl squeeze: warning: unknown key 'comand'\n");
    EXPECT_EQ(json::parse(proxy.seen()[0].body), json::parse(R"({"name":"squeeze","cmd":"gzip -9"})"));
}

TEST(EtlInit, EveryDocumentOfAFileIsTried) {
    TemporaryFolder folder;
    folder.write("specs.yaml", "name: first1\ncmd: cat\n---\nbad: yes\n---\nname: third1\ncmd: cat\n");
    FakeNode proxy(registry);
    const Outcome outcome = proxy.run({"etl", "init", "-f", folder.path("specs.yaml"), "-o", "json"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_THAT(outcome.err, HasSubstr("specs.yaml, document from line 4: line 1: no such field"));
    EXPECT_EQ(json::parse(outcome.out).size(), 2u);
    EXPECT_EQ(proxy.seen().size(), 3u);
    EXPECT_EQ(proxy.seen()[2].body, "name: third1\ncmd: cat\n");
}

TEST(EtlInit, StandardInputAndMissingFiles) {
    FakeNode proxy(registry);
    EXPECT_EQ(proxy.run({"etl", "init", "-f", "-"}, "name: squeeze\ncmd: cat\n").status, kExitDone);
    EXPECT_EQ(proxy.run({"etl", "init", "-f", "-"}, "# nothing\n").status, kExitUsage);
    EXPECT_EQ(proxy.run({"etl", "init", "-f", "/no/such/file"}).status, kExitUsage);
}

TEST(EtlInit, FlagsWinOverTheSpecification) {
    TemporaryFolder folder;
    folder.write("spec.yaml", "# mine\nname: first1\nruntime: {image: x, command: [\"null\", \"a b\"]}\nobj_timeout: 3s\nenv: {A: \"\"}\n");
    FakeNode proxy(registry);
    const Outcome outcome = proxy.run({"etl", "init", "-f", folder.path("spec.yaml"), "--name", "second", "--comm-type", "ws", "--init-timeout",
                                       "2m", "--object-timeout", "9s"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(proxy.seen()[0].body,
              "name: second\nruntime: {image: x, command: [\"null\", a b]}\nobj_timeout: 9s\nenv: {A: \"\"}\ncommunication: ws://\ninit_timeout: 2m");
    EXPECT_EQ(proxy.run({"etl", "init", "--name", "squeeze", "--cmd", "cat", "--object-timeout", "9s"}).status, kExitDone);
    EXPECT_EQ(json::parse(proxy.seen()[1].body), json::parse(R"({"name":"squeeze","cmd":"cat","obj_timeout":"9s"})"));
}

TEST(EtlInit, FlagsGoAroundAPod) {
    TemporaryFolder folder;
    folder.write("pod.yaml", "kind: Pod\n");
    FakeNode proxy(registry);
    EXPECT_EQ(proxy.run({"etl", "init", "-f", folder.path("pod.yaml"), "--name", "second", "--comm-type", "hpull://"}).status, kExitDone);
    EXPECT_EQ(json::parse(proxy.seen()[0].body),
              json::parse(R"({"name":"second","communication":"hpull://","spec":"a2luZDogUG9kCg=="})"));
}

TEST(EtlInit, FlagsAreForOneSpecification) {
    TemporaryFolder folder;
    folder.write("specs.yaml", "name: first1\ncmd: cat\n---\nname: second\ncmd: cat\n");
    folder.write("list.yaml", "- a\n");
    folder.write("broken.yaml", "name: first1\ncmd: [cat\n");
    FakeNode proxy(registry);
    const Outcome outcome = proxy.run({"etl", "init", "-f", folder.path("specs.yaml"), "--name", "third1"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_THAT(outcome.err, HasSubstr("holds 2 specifications"));
    const Outcome list = proxy.run({"etl", "init", "-f", folder.path("list.yaml"), "--name", "third1"});
    EXPECT_EQ(list.status, kExitUsage);
    EXPECT_THAT(list.err, HasSubstr("list.yaml: a specification is a mapping"));
    EXPECT_THAT(proxy.run({"etl", "init", "-f", folder.path("broken.yaml"), "--name", "third1"}).err, HasSubstr("not valid YAML"));
    EXPECT_TRUE(proxy.seen().empty());
}

TEST(EtlControl, NamesComeFromAFile) {
    TemporaryFolder folder;
    folder.write("specs.yaml", "name: first1\ncmd: cat\n---\ncmd: cat\n---\nkind: Pod\nmetadata: {name: second}\n---\nkind: Pod\n---\nname: absent\n");
    FakeNode proxy(script({{"POST /v1/transforms/first1/stop", {{200, ""}}}, {"POST /v1/transforms/second/stop", {{200, ""}}}}));
    const Outcome outcome = proxy.run({"etl", "stop", "-f", folder.path("specs.yaml")});
    EXPECT_EQ(outcome.status, kExitNotFound);
    EXPECT_EQ(outcome.out, "stopped etl first1\nstopped etl second\n");
    EXPECT_THAT(outcome.err, HasSubstr("specs.yaml, document from line 4: it has no name"));
    EXPECT_THAT(outcome.err, HasSubstr("specs.yaml, document from line 9: the pod has no metadata.name"));
    EXPECT_THAT(outcome.err, HasSubstr("etl stop absent: "));
    EXPECT_EQ(proxy.run({"etl", "rm", "-f", "/no/such/file"}).status, kExitUsage);
    EXPECT_EQ(proxy.run({"etl", "rm", "-f", "-"}, "# nothing\n").status, kExitUsage);
}

TEST(EtlControl, AFilePrintsAnArrayAsJson) {
    FakeNode proxy(script({{"DELETE /v1/transforms/first1", {{200, ""}}}}));
    const Outcome outcome = proxy.run({"etl", "rm", "-f", "-", "-o", "json"}, "name: first1\ncmd: cat\n");
    EXPECT_EQ(outcome.status, kExitDone);
    EXPECT_EQ(json::parse(outcome.out), json::parse(R"([{"name":"first1","removed":true}])"));
}

std::string standing(const std::string& state, const std::string& reason = "") {
    return json{{"name", "squeeze"}, {"state", state}, {"targets", {{{"target", "t-1"}, {"state", state}, {"reason", reason}}}}}.dump();
}

TEST(EtlControl, AStartIsWaitedForOverAProxyThatIsAway) {
    FakeNode proxy(script({{"POST /v1/transforms/squeeze/start", {{503, ""}}},
                           {"GET /v1/transforms/squeeze", {{200, standing("starting")}, {503, ""}, {200, standing("running")}}}}));
    const Outcome outcome = proxy.run({"etl", "start", "squeeze", "--watch"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("squeeze starting: runs on 0 of 1 targets\n"));
    EXPECT_THAT(outcome.err, HasSubstr("lost the cluster"));
    EXPECT_EQ(proxy.run({"etl", "start", "squeeze"}).status, kExitUnreachable) << "without waiting the answer is the outcome";
}

TEST(EtlControl, AStartThatFailsOrTakesTooLongHasItsStatus) {
    FakeNode aborted(script({{"POST /v1/transforms/squeeze/restart", {{200, ""}}}, {"GET /v1/transforms/squeeze", {{200, standing("aborted", "died")}}}}));
    const Outcome outcome = aborted.run({"etl", "restart", "squeeze", "--wait"});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("it does not run: target t-1: died"));
    FakeNode slow(script({{"POST /v1/transforms/squeeze/start", {{200, ""}}}, {"GET /v1/transforms/squeeze", {{200, standing("starting")}}}}));
    EXPECT_EQ(slow.run({"etl", "start", "squeeze", "--wait", "--timeout", "20ms"}).status, kExitTimedOut);
    EXPECT_EQ(slow.run({"etl", "start", "squeeze", "--timeout", "1s"}).status, kExitUsage);
}

TEST(Etl, ShowsListsLogsAndErrors) {
    FakeNode proxy(script({
        {"GET /v1/transforms",
         {{200, R"([{"name":"squeeze","kind":"filter","state":"running","targets_running":2,"targets":2}])"}}},
        {"GET /v1/transforms/squeeze",
         {{200, R"({"name":"squeeze","kind":"filter","state":"running","spec":{"cmd":"gzip","attempts":3},
            "targets":[{"target":"t-1","state":"running","start":"forked","pid":17,"restarts":1,"runs":10,"failures":2}]})"}}},
        {"GET /v1/transforms/squeeze/logs?target=t-1", {{200, R"([{"target":"t-1","log":"line one\n\u001bline two"}])"}}},
        {"GET /v1/transforms/squeeze/errors",
         {{200, R"([{"target":"t-1","object":"ais://b/x","code":"rejected","message":"exit status 1","at":"now"}])"}}},
        {"GET /v1/cluster", {{200, R"({"targets":[{"id":"t-1","online":true},{"id":"t-2","online":false}]})"}}},
        {"POST /v1/transforms/squeeze/stop", {{200, ""}}},
        {"DELETE /v1/transforms/squeeze", {{200, ""}}},
    }));
    EXPECT_EQ(proxy.run({"etl", "ls"}).out, "NAME     KIND    STATE    TARGETS\nsqueeze  filter  running  2/2\n");
    EXPECT_THAT(proxy.run({"etl", "show", "squeeze"}).out, HasSubstr("cmd:       gzip\n"));
    EXPECT_THAT(proxy.run({"etl", "show", "squeeze"}).out, HasSubstr("t-1     running  forked   17         1    10         2"));
    EXPECT_EQ(proxy.run({"etl", "logs", "squeeze", "--target", "t-1"}).out, "==> t-1 <==\nline one\n\\x1bline two\n");
    const Outcome errors = proxy.run({"etl", "errors", "squeeze"});
    EXPECT_THAT(errors.out, HasSubstr("exit status 1"));
    EXPECT_THAT(errors.err, HasSubstr("not complete, these targets are offline: t-2"));
    EXPECT_EQ(errors.status, kExitFailedObjects);
    EXPECT_EQ(proxy.run({"etl", "stop", "squeeze"}).out, "stopped etl squeeze\n");
    EXPECT_EQ(proxy.run({"etl", "rm", "squeeze", "-o", "json"}).status, kExitDone);
    EXPECT_EQ(proxy.run({"etl", "start", "absent"}).status, kExitNotFound);
}

}  // namespace
}  // namespace millrace::cli
