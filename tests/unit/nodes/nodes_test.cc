// What each route of a proxy and a target answers, well and badly.
#include <gmock/gmock.h>

#include "tests/unit/nodes/nodes_fixture.h"

namespace millrace {
namespace {

using testing::HasSubstr;

TEST_F(Nodes, BucketsComeAndGo) {
    create("music");
    EXPECT_EQ(ask("POST", "/v1/buckets/music", R"({"action":"create-bck"})").status, 409);
    EXPECT_EQ(ask("POST", "/v1/buckets/UPPER%20case", R"({"action":"create-bck"})").status, 400);
    EXPECT_EQ(ask("HEAD", "/v1/buckets/music").status, 200);
    EXPECT_EQ(ask("HEAD", "/v1/buckets/none").status, 404);
    EXPECT_THAT(ask("GET", "/v1/buckets").body, HasSubstr("music"));
    EXPECT_EQ(ask("POST", "/v1/buckets/music?bck_to=ais/@%23/songs/", R"({"action":"move-bck"})").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/buckets/songs", R"({"action":"destroy-bck"})").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/buckets/songs", R"({"action":"destroy-bck"})").status, 404);
}

TEST_F(Nodes, ObjectsArePutReadInPartsChangedAndErased) {
    create("music");
    EXPECT_EQ(object("PUT", "music/a.txt", "hello world", {{"Ais-Custom-Md", "mood=calm"}}).status, 200);
    EXPECT_EQ(object("PUT", "none/a.txt", "x").status, 404);
    EXPECT_EQ(object("PUT", "music/a.txt", "x", {{"Ais-Checksum-Type", "xxhash2"}, {"Ais-Checksum-Value", "0000000000000000"}}).status, 400);
    const auto whole = object("GET", "music/a.txt?verify=true");
    EXPECT_EQ(whole.body, "hello world");
    const std::string tag(whole.headers.find("ETag").value_or(""));
    EXPECT_EQ(object("GET", "music/a.txt", "", {{"Range", "bytes=6-"}}).body, "world");
    EXPECT_EQ(object("GET", "music/a.txt", "", {{"Range", "bytes=60-"}}).status, 416);
    EXPECT_EQ(object("GET", "music/a.txt", "", {{"Range", "bytes=0-4"}, {"If-Range", tag}}).status, 206);
    EXPECT_EQ(object("GET", "music/a.txt", "", {{"Range", "bytes=0-4"}, {"If-Range", "\"other\""}}).status, 200);
    EXPECT_EQ(object("GET", "music/a.txt", "", {{"If-Match", "\"other\""}}).status, 412);
    EXPECT_EQ(object("HEAD", "music/a.txt").headers.find("Ais-Name").value_or(""), "a.txt");
    EXPECT_EQ(object("PATCH", "music/a.txt", R"({"action":"","value":{"mood":"wild"}})").status, 200);
    EXPECT_EQ(object("PATCH", "music/a.txt", R"({"action":"","value":{"mood":7}})").status, 400);
    EXPECT_EQ(object("PUT", "music/a.txt?object_to=ais/@%23/music/b.txt").status, 200);
    EXPECT_EQ(object("PUT", "music/a.txt?object_to=nonsense").status, 400);
    EXPECT_EQ(object("GET", "music/b.txt").body, "hello world");
    EXPECT_EQ(ask("GET", "/v1/objects/music/b.txt").status, 301);
    EXPECT_EQ(ask("GET", "/v1/objects/music/b.txt?redirect=no").body, "hello world");
    EXPECT_EQ(ask("HEAD", "/v1/objects/music/b.txt?redirect=no").status, 200);
    EXPECT_EQ(ask("PUT", "/v1/objects/music/c.txt?redirect=no", "by the proxy").status, 200);
    EXPECT_EQ(ask("GET", "/v1/objects/none/b.txt").status, 404);
    EXPECT_EQ(ask("GET", "/v1/objects/music/b.txt?provider=aws").status, 404);
    EXPECT_EQ(object("DELETE", "music/b.txt").status, 200);
    EXPECT_EQ(object("DELETE", "music/b.txt").status, 404);
}

TEST_F(Nodes, ObjectsComeInSeveralRequests) {
    create("music");
    const auto first = object("PUT", "music/log?append_type=append&append_handle=", "one ");
    ASSERT_EQ(first.status, 200) << first.body;
    const std::string handle(first.headers.find("Ais-Append-Handle").value_or(""));
    EXPECT_EQ(object("PUT", "music/log?append_type=flush&append_handle=" + handle, "two").status, 200);
    EXPECT_EQ(object("GET", "music/log").body, "one two");
    EXPECT_EQ(object("PUT", "music/log?append_type=append&append_handle=nonsense", "x").status, 400);
    const std::string id = object("POST", "music/parts", R"({"action":"mpt-upload"})").body;
    EXPECT_EQ(object("PUT", "music/parts?uploadId=" + id + "&partNumber=2", "second").status, 200);
    EXPECT_EQ(object("PUT", "music/parts?uploadId=" + id + "&partNumber=1", "first ").status, 200);
    EXPECT_EQ(object("PUT", "music/parts?uploadId=" + id + "&partNumber=0", "none").status, 400);
    const std::string lacking = R"({"action":"mpt-complete","value":[{"part-number":1},{"part-number":3}]})";
    EXPECT_EQ(object("POST", "music/parts?uploadId=" + id, lacking).status, 400);
    const std::string both = R"({"action":"mpt-complete","value":[{"part-number":1},{"part-number":2}]})";
    EXPECT_EQ(object("POST", "music/parts?uploadId=" + id, both).status, 200);
    EXPECT_EQ(object("GET", "music/parts").body, "first second");
    const std::string other = object("POST", "music/parts", R"({"action":"mpt-upload"})").body;
    EXPECT_EQ(object("DELETE", "music/parts?uploadId=" + other).status, 200);
    EXPECT_EQ(object("DELETE", "music/parts", R"({"action":"mpt-abort"})").status, 400);
    EXPECT_EQ(object("POST", "music/parts", R"({"action":"dance"})").status, 400);
}

TEST_F(Nodes, ListingsArePagedFoldedAndSummed) {
    create("music");
    for (const char* name : {"a/1", "a/2", "b/1", "c"}) ASSERT_EQ(object("PUT", std::string("music/") + name, "12345").status, 200);
    const json page = json_or_null(ask("GET", "/v1/buckets/music?pagesize=3").body);
    EXPECT_EQ(items_of(page, "entries").size(), 3u);
    const std::string token = text_of(page, "continuation_token");
    ASSERT_NE(token, "");
    const json rest = json_or_null(ask("GET", "/v1/buckets/music?pagesize=3&continuation_token=" + token).body);
    EXPECT_EQ(items_of(rest, "entries").size(), 1u);
    EXPECT_EQ(ask("GET", "/v1/buckets/none").status, 404);
    EXPECT_EQ(ask("GET", "/v1/buckets/music", R"({"action":"list","value":{"prefix":"a/","flags":"0"}})").status, 200);
    EXPECT_EQ(ask("GET", "/v1/buckets/music", R"({"action":"dance"})").status, 400);
}

TEST_F(Nodes, TransformsRunStopAndSayWhatIsWrong) {
    create("music");
    ASSERT_EQ(object("PUT", "music/a.txt", "hello").status, 200);
    add_transform("to-upper", "tr a-z A-Z");
    EXPECT_EQ(ask("PUT", "/v1/transforms", R"({"name":"to-upper","cmd":"cat"})").status, 409);
    EXPECT_EQ(ask("PUT", "/v1/transforms", R"({"name":"to-nothing","cmd":"no-such-program-at-all"})").status, 424);
    EXPECT_EQ(ask("PUT", "/v1/transforms", "name: [").status, 400);
    EXPECT_EQ(object("GET", "music/a.txt?etl_name=to-upper").body, "HELLO");
    EXPECT_EQ(object("GET", "music/none?etl_name=to-upper").status, 404);
    EXPECT_EQ(object("GET", "music/a.txt?etl_name=unknown-one").status, 404);
    EXPECT_EQ(object("PUT", "music/a.txt?object_to=ais/@%23/music/A.txt&etl_name=to-upper").status, 200);
    EXPECT_EQ(object("GET", "music/A.txt").body, "HELLO");
    add_transform("to-fail", "exit 3");
    EXPECT_EQ(object("GET", "music/a.txt?etl_name=to-fail").status, 422);
    EXPECT_THAT(ask("GET", "/v1/transforms/to-fail/errors").body, HasSubstr("ais://music/a.txt"));
    EXPECT_EQ(ask("GET", "/v1/transforms/to-fail/logs").status, 200);
    EXPECT_EQ(ask("GET", "/v1/transforms/to-fail/logs?target=nobody").status, 404);
    EXPECT_THAT(ask("GET", "/v1/transforms").body, HasSubstr("to-upper"));
    EXPECT_EQ(text_of(json_or_null(ask("GET", "/v1/transforms/to-upper").body), "state"), "running");
    EXPECT_EQ(ask("GET", "/v1/transforms/unknown-one").status, 404);
    EXPECT_EQ(ask("POST", "/v1/transforms/to-upper/stop").status, 200);
    EXPECT_EQ(object("GET", "music/a.txt?etl_name=to-upper").status, 404);
    EXPECT_EQ(ask("POST", "/v1/transforms/to-upper/start").status, 200);
    EXPECT_EQ(ask("POST", "/v1/transforms/to-upper/restart?new_version=two").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/transforms/to-upper").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/transforms/to-upper").status, 404);
}

TEST_F(Nodes, JobsRunAndAreToldOf) {
    create("music");
    add_transform("to-upper", "tr a-z A-Z");
    add_transform("to-fail", "exit 3");
    for (const char* name : {"a.txt", "b.txt", "c.txt"}) ASSERT_EQ(object("PUT", std::string("music/") + name, name).status, 200);
    const std::string good = submit({{"operation", "transform"}, {"transform", "to-upper"}, {"source", "ais://music"}, {"destination", "ais://loud"}});
    EXPECT_EQ(ended(good), "completed");
    EXPECT_EQ(object("GET", "loud/a.txt").body, "A.TXT");
    EXPECT_THAT(ask("GET", "/v1/jobs/" + good + "/events").body, HasSubstr("event: job"));
    EXPECT_THAT(ask("GET", "/v1/jobs/" + good + "/report").body, HasSubstr(R"("complete":true)"));
    EXPECT_THAT(ask("GET", "/v1/jobs/" + good + "/verify?contents=true").body, HasSubstr(R"("problems":0)"));
    ASSERT_EQ(object("DELETE", "loud/b.txt").status, 200);
    EXPECT_THAT(ask("GET", "/v1/jobs/" + good + "/verify").body, HasSubstr(R"("problem":"missing")"));
    const std::string bad = submit({{"operation", "transform"}, {"transform", "to-fail"}, {"source", "ais://music"}, {"destination", "ais://none"}});
    EXPECT_EQ(ended(bad), "completed_with_errors");
    const json errors = json_or_null(ask("GET", "/v1/jobs/" + bad + "/errors?limit=2").body);
    EXPECT_EQ(items_of(errors, "errors").size(), 2u);
    EXPECT_EQ(items_of(json_or_null(ask("GET", "/v1/jobs/" + bad + "/errors?cursor=" + text_of(errors, "cursor")).body), "errors").size(), 1u);
    EXPECT_EQ(ask("GET", "/v1/jobs/" + bad + "/errors?limit=2x").status, 400);
    EXPECT_EQ(ask("POST", "/v1/jobs/" + good + "/pause").status, 409);
    EXPECT_EQ(ask("POST", "/v1/jobs/" + bad + "/retry").status, 200);
    EXPECT_EQ(ended(bad), "completed_with_errors");
    EXPECT_EQ(ask("POST", "/v1/jobs/" + bad + "/resume?with_current=perhaps").status, 400);
    EXPECT_EQ(items_of(json{{"all", json_or_null(ask("GET", "/v1/jobs").body)}}, "all").size(), 2u);
    EXPECT_EQ(items_of(json{{"all", json_or_null(ask("GET", "/v1/jobs?state=completed").body)}}, "all").size(), 1u);
    EXPECT_EQ(ask("GET", "/v1/jobs?state=bored").status, 400);
    EXPECT_EQ(ask("GET", "/v1/jobs/job-none").status, 404);
    EXPECT_EQ(ask("DELETE", "/v1/jobs/" + good).status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/jobs/" + good).status, 404);
    EXPECT_EQ(ask("DELETE", "/v1/jobs?older_than=0s").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/jobs?older_than=soon").status, 400);
}

TEST_F(Nodes, ThatAreAskedTheSameTwiceAnswerTheSame) {
    create("music");
    create("copies");
    const std::string request = R"({"operation":"copy","source":"ais://music","destination":"ais://copies","objects":["a","b"]})";
    const auto first = ask("POST", "/v1/jobs", request, {{"Idempotency-Key", "once"}});
    const auto second = ask("POST", "/v1/jobs", request, {{"Idempotency-Key", "once"}});
    EXPECT_EQ(first.status, 202) << first.body;
    EXPECT_EQ(text_of(json_or_null(first.body), "id"), text_of(json_or_null(second.body), "id"));
    EXPECT_EQ(ask("POST", "/v1/jobs", R"({"operation":"copy"})", {{"Idempotency-Key", "once"}}).status, 400);
    EXPECT_EQ(ask("POST", "/v1/jobs", R"({"operation":"copy","source":"ais://none","destination":"ais://copies"})").status, 404);
    EXPECT_EQ(ask("POST", "/v1/jobs", R"({"transform":"unknown-one","source":"ais://music","destination":"ais://copies"})").status, 404);
    EXPECT_EQ(ended(text_of(json_or_null(first.body), "id")), "completed_with_errors") << "neither object is there";
}

TEST_F(Nodes, TheClusterSaysHowItIs) {
    const json cluster = json_or_null(ask("GET", "/v1/cluster").body);
    EXPECT_EQ(count_of(cluster, "term"), 1u);
    EXPECT_EQ(items_of(cluster, "targets").size(), 1u);
    EXPECT_THAT(ask("GET", "/metrics").body, HasSubstr("millrace_target_online"));
    EXPECT_EQ(ask("POST", "/v1/cluster/nodes/t-1/accept").status, 409);
    EXPECT_EQ(ask("GET", "/no/such/path").status, 404);
    for (const char* path : {"/health", "/metrics", "/v1/worker/logs?transform=none", "/v1/worker/objects?bucket=none"}) {
        EXPECT_GT(as_proxy("GET", path).status, 0) << path;
    }
    EXPECT_FALSE(proxy_->failure());
    EXPECT_FALSE(target_->failure());
}

}  // namespace
}  // namespace millrace
