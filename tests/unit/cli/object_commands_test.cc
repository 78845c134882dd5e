#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/descriptor.h"
#include "core/hash.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

http::Headers with_checksum(std::string_view content) {
    return {{"Ais-Checksum-Type", "xxhash2"}, {"Ais-Checksum-Value", checksum_text(xxh64(content))}};
}

TEST(Get, FollowsTheRedirectAndWritesTheFile) {
    TemporaryFolder folder;
    FakeNode target(script({{"GET /v1/objects/b/d/x.txt", {{200, "hello", with_checksum("hello")}}}}));
    FakeNode proxy(
        script({{"GET /v1/objects/b/d/x.txt", {{301, "", {{"Location", target.url() + "/v1/objects/b/d/x.txt"}}}}}}));
    const Outcome outcome = proxy.run({"get", "ais://b/d/x.txt", "-o", folder.path()});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(outcome.out, "got " + folder.path("x.txt") + " (5 B)\n");
    EXPECT_EQ(folder.read("x.txt"), "hello");
    EXPECT_THAT(folder.names(), ElementsAre("x.txt"));
    const auto mask = std::filesystem::status(folder.path("x.txt")).permissions();
    EXPECT_NE(mask & std::filesystem::perms::owner_read, std::filesystem::perms::none);
}

TEST(Get, RelativeAndRepeatedRedirectsAreFollowedUpToFive) {
    const auto to = [](const std::string& path) { return Scripted{307, "", {{"Location", path}}}; };
    FakeNode proxy(script({{"GET /v1/objects/b/x", {to("/1")}},
                           {"GET /1", {to("/2")}},
                           {"GET /2", {to("/3")}},
                           {"GET /3", {to("/4")}},
                           {"GET /4", {to("/5")}},
                           {"GET /5", {{200, "end"}}},
                           {"GET /v1/objects/b/loop", {to("/v1/objects/b/loop")}}}));
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", "-"}).out, "end");
    const Outcome loop = proxy.run({"get", "ais://b/loop", "-o", "-"});
    EXPECT_EQ(loop.status, kExitFailed);
    EXPECT_THAT(loop.err, HasSubstr("more than 5 redirects"));
}

TEST(Get, ARedirectToTlsIsNotFollowedInTheClear) {
    FakeNode target(script({}));
    std::string secure = target.url();
    secure.replace(0, secure.find(':'), "https");
    FakeNode proxy(script({{"GET /v1/objects/b/x", {{301, "", {{"Location", secure + "/v1/objects/b/x"}}}}}}));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", "-"});
    EXPECT_NE(outcome.status, kExitDone);
    EXPECT_THAT(outcome.err, HasSubstr("does not speak TLS"));
    EXPECT_TRUE(target.seen().empty());
}

TEST(Get, ATransformIsNamedInTheQuery) {
    FakeNode proxy(script({{"GET /v1/objects/b/x?etl_name=squeeze&etl_args=-9%20fast", {{200, "squeezed"}}}}));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "--etl", "squeeze", "--args", "-9 fast", "-o", "-"});
    EXPECT_EQ(outcome.out, "squeezed") << outcome.err;
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "--args", "5", "-o", "-"}).status, kExitUsage);
}

TEST(Get, ABodyCutShortLeavesNoFile) {
    TemporaryFolder folder;
    folder.write("x", "the old one");
    FakeNode proxy([](const Seen&, http::Response& response) -> Task<void> {
        const http::Headers headers;
        auto started = co_await response.start(200, headers, 1000);
        auto written = co_await response.write(as_bytes("only this"));
        (void)started;
        (void)written;
    });
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("millrace: get ais://b/x: "));
    EXPECT_EQ(folder.read("x"), "the old one");
    EXPECT_THAT(folder.names(), ElementsAre("x"));
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", "-"}).status, kExitFailed);
}

// Sends so many bytes of the object that it has now, from where it was asked to begin, and then cuts the connection if there are more.
Task<void> send_some(const Seen& seen, http::Response& response, std::string content, std::size_t bytes) {
    const std::string tag = '"' + content.substr(0, 1) + '"';
    const auto range = seen.headers.find("Range");
    const std::size_t from = range ? std::stoul(std::string(range->substr(6))) : 0;
    if (const auto wanted = seen.headers.find("If-Match"); wanted && *wanted != tag) co_return co_await answer(response, 412, {}, "");
    http::Headers headers{{"ETag", tag}};
    if (range) headers.add("Content-Range", "bytes " + std::to_string(from) + "-9/10");
    auto sent = co_await response.start(range ? 206 : 200, headers, content.size() - from);
    const std::string part = content.substr(from, bytes);
    sent = co_await response.write(as_bytes(part));
    if (from + part.size() == content.size()) sent = co_await response.finish();
    (void)sent;
}

TEST(Get, GoesOnWhereTheConnectionBroke) {
    TemporaryFolder folder;
    FakeNode proxy([](const Seen& seen, http::Response& response) { return send_some(seen, response, "0123456789", 4); });
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(folder.read("x"), "0123456789");
    ASSERT_GE(proxy.seen().size(), 3u);
    EXPECT_FALSE(proxy.seen()[0].headers.find("Range"));
    EXPECT_EQ(proxy.seen()[1].headers.find("If-Match"), "\"0\"");
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", "-"}).out, "0123456789");
}

TEST(Get, DoesNotGoOnWithAnotherContent) {
    TemporaryFolder folder;
    FakeNode proxy([first = true](const Seen& seen, http::Response& response) mutable {
        return send_some(seen, response, std::exchange(first, false) ? "0123456789" : "abcdefghij", 4);
    });
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("overwritten"));
    EXPECT_TRUE(folder.names().empty());
    EXPECT_EQ(proxy.seen().size(), 2u);
}

TEST(Get, AResultOfATransformIsNotPutTogetherFromTwoRuns) {
    FakeNode proxy([](const Seen& seen, http::Response& response) { return send_some(seen, response, "0123456789", 4); });
    const Outcome outcome = proxy.run({"get", "ais://b/x", "--etl", "t", "-o", "-"});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_EQ(proxy.seen().size(), 1u);
}

TEST(Get, OtherBytesThanTheChecksumSaysAreNotKept) {
    TemporaryFolder folder;
    FakeNode proxy(script({{"GET /v1/objects/b/x", {{200, "spoiled", with_checksum("good")}}}}));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("checksum"));
    EXPECT_TRUE(folder.names().empty());
}

TEST(Get, ErrorsLeaveNoFileAndTheirOwnStatus) {
    TemporaryFolder folder;
    FakeNode proxy([](const Seen&, http::Response& response) {
        return answer_error(response, fail(Code::not_found, "object \"ais://b/x\" does not exist"));
    });
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitNotFound);
    EXPECT_EQ(outcome.err, "millrace: get ais://b/x: object \"ais://b/x\" does not exist\n");
    EXPECT_TRUE(folder.names().empty());
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("no/such/folder/x")}).status, kExitNotFound);
}

FakeNode::Answer gives_hello() { return script({{"GET /v1/objects/b/x", {{200, "hello", with_checksum("hello")}}}}); }

TEST(Get, ALinkStaysALink) {
    TemporaryFolder folder;
    folder.write("real", "old");
    std::filesystem::create_directory(folder.path("other"));
    std::filesystem::create_symlink("real", folder.path("link"));
    std::filesystem::create_symlink("../link", folder.path("other/chain"));
    std::filesystem::create_symlink("not-there-yet", folder.path("dangling"));
    std::filesystem::create_symlink("circle", folder.path("circle"));
    FakeNode proxy(gives_hello());
    for (const char* name : {"other/chain", "dangling"}) {
        const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path(name)});
        EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
        EXPECT_EQ(outcome.out, "got " + folder.path(name) + " (5 B)\n");
        EXPECT_TRUE(std::filesystem::is_symlink(folder.path(name)));
    }
    EXPECT_EQ(folder.read("real"), "hello");
    EXPECT_EQ(folder.read("not-there-yet"), "hello");
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("circle")}).status, kExitUsage);
    EXPECT_THAT(folder.names(), ElementsAre("circle", "dangling", "link", "not-there-yet", "other", "real"));
}

TEST(Get, AnExistingFileLendsItsMode) {
    TemporaryFolder folder;
    folder.write("x", "old");
    std::filesystem::permissions(folder.path("x"), std::filesystem::perms{0640});
    FakeNode proxy(gives_hello());
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("x")}).status, kExitDone);
    EXPECT_EQ(folder.read("x"), "hello");
    EXPECT_EQ(std::filesystem::status(folder.path("x")).permissions(), std::filesystem::perms{0640});
    if (::geteuid() != 0) return;
    ASSERT_EQ(::chown(folder.path("x").c_str(), 12, 34), 0);
    ASSERT_EQ(::chmod(folder.path("x").c_str(), 06755), 0);
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("x")}).status, kExitDone);
    struct stat status {};
    ASSERT_EQ(::stat(folder.path("x").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 12u);
    EXPECT_EQ(status.st_gid, 34u);
    EXPECT_EQ(status.st_mode & 07777u, 06755u);
}

TEST(Get, WhatIsNoPlainFileIsWrittenInto) {
    TemporaryFolder folder;
    FakeNode proxy(gives_hello());
    char buffer[16];
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    const Descriptor reader(::open(folder.path("pipe").c_str(), O_RDONLY | O_NONBLOCK));
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("pipe")}).status, kExitDone);
    EXPECT_EQ(::read(reader.get(), buffer, sizeof buffer), 5);
    EXPECT_TRUE(std::filesystem::is_fifo(folder.path("pipe")));
    EXPECT_THAT(folder.names(), ElementsAre("pipe"));
    std::filesystem::create_symlink("/dev/null", folder.path("null"));
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("null")}).status, kExitDone);
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
    std::filesystem::create_directories(folder.path("folder/x"));
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", folder.path("folder")}).status, kExitFailed) << "there is a folder of the object's name";
    EXPECT_EQ(proxy.seen().size(), 2u);
}

TEST(Get, ADescriptorOfThisProcessIsWrittenIntoWhereItStands) {
    TemporaryFolder folder;
    FakeNode proxy(gives_hello());
    int sockets[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    const Descriptor here(sockets[0]);
    const Descriptor there(sockets[1]);
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", "/dev/fd/" + std::to_string(there.get())});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    char buffer[16];
    EXPECT_EQ(::read(here.get(), buffer, sizeof buffer), 5);
    const Descriptor file(::open(folder.path("log").c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_EQ(::write(file.get(), "begin ", 6), 6);
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", "/proc/self/fd/" + std::to_string(file.get())}).status, kExitDone);
    EXPECT_EQ(folder.read("log"), "begin hello");
    EXPECT_EQ(proxy.run({"get", "ais://b/x", "-o", "/dev/fd/4000"}).status, kExitUsage);
}

TEST(Get, WhatBreaksOffInsideOfAPipeIsSaid) {
    TemporaryFolder folder;
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    const Descriptor reader(::open(folder.path("pipe").c_str(), O_RDONLY | O_NONBLOCK));
    FakeNode proxy(script({{"GET /v1/objects/b/x", {{200, "spoiled", with_checksum("good")}}}}));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("pipe")});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("a part of it is in " + folder.path("pipe") + " now"));
}

TEST(Get, AnInterruptLeavesNoFile) {
    TemporaryFolder folder;
    FakeNode* self = nullptr;
    FakeNode proxy([&](const Seen&, http::Response& response) -> Task<void> {
        const http::Headers headers;
        auto started = co_await response.start(200, headers, 1000);
        auto written = co_await response.write(as_bytes("some"));
        (void)started;
        (void)written;
        ::kill(::getpid(), SIGINT);
        co_await self->hold();
    });
    self = &proxy;
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", folder.path("x")});
    EXPECT_EQ(outcome.status, kExitInterrupted);
    EXPECT_THAT(outcome.err, HasSubstr("interrupted"));
    EXPECT_TRUE(folder.names().empty());
}

TEST(Ls, PrintsEveryPage) {
    const std::string base = "GET /v1/buckets/b?prefix=d%2F&pagesize=10000";
    const std::string first =
        R"({"entries":[{"name":"d/1","size":2048,"written_at":"2026-01-31T23:59:59.123Z"}],"continuation_token":"d/1"})";
    const std::string second = R"({"entries":[{"name":"d/\u001b2","size":1}],"continuation_token":""})";
    FakeNode proxy(script({{base, {{200, first}}}, {base + "&continuation_token=d%2F1", {{200, second}}}}));
    EXPECT_EQ(proxy.run({"ls", "ais://b/d/"}).out,
              "   2.0 KiB  2026-01-31T23:59:59.123Z  d/1\n"
              "       1 B                            d/\\x1b2\n");
    const json all = json::parse(proxy.run({"ls", "ais://b/d/", "-o", "json"}).out);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1]["name"], "d/\x1b" "2");
}

TEST(Ls, AnEmptyPageIsNotTheLast) {
    const std::string base = "GET /v1/buckets/b?pagesize=10000";
    FakeNode proxy(script({{base, {{200, R"({"entries":[],"continuation_token":"k"})"}}},
                           {base + "&continuation_token=k", {{200, R"({"entries":[{"name":"x"}],"continuation_token":"l"})"}}},
                           {base + "&continuation_token=l", {{500, ""}}}}));
    const Outcome outcome = proxy.run({"ls", "ais://b"});
    EXPECT_THAT(outcome.out, HasSubstr("  x\n"));
    EXPECT_EQ(outcome.status, kExitFailed) << "what comes is not whole";
    EXPECT_THAT(outcome.err, HasSubstr("millrace: ls ais://b: "));
}

TEST(Ls, APageThatRepeatsItselfIsAnError) {
    FakeNode proxy([](const Seen&, http::Response& response) {
        return answer_json(response, json::parse(R"({"entries":[],"continuation_token":"x"})"));
    });
    EXPECT_EQ(proxy.run({"ls", "ais://b"}).status, kExitFailed);
}

TEST(Rm, RemovesEachAndReportsWhatIsNotThere) {
    FakeNode proxy(script({{"DELETE /v1/objects/b/x", {{200, ""}}}}));
    const Outcome outcome = proxy.run({"rm", "ais://b/x", "ais://b/absent"});
    EXPECT_EQ(outcome.status, kExitNotFound);
    EXPECT_EQ(outcome.out, "removed ais://b/x\n");
    EXPECT_THAT(outcome.err, HasSubstr("rm ais://b/absent: "));
    EXPECT_EQ(proxy.run({"rm", "ais://b"}).status, kExitUsage);
}

TEST(Head, ShowsTheHeaders) {
    FakeNode proxy([](const Seen& seen, http::Response& response) -> Task<void> {
        const http::Headers headers{{"Ais-Checksum-Type", "xxhash2"},
                                    {"Ais-Checksum-Value", "0123456789abcdef"},
                                    {"Ais-Version", "3"},
                                    {"Millrace-Job", "job-1"},
                                    {"Millrace-Source", "ais://a/x"}};
        if (seen.target == "/v1/objects/b/x") {
            auto sent = co_await response.send_head(200, headers, 4096);
            (void)sent;
        } else {
            co_await answer(response, 404, {}, "");
        }
    });
    EXPECT_EQ(proxy.run({"head", "ais://b/x"}).out,
              "object:       ais://b/x\n"
              "size:         4096 bytes (4.0 KiB)\n"
              "checksum:     xxhash2 0123456789abcdef\n"
              "version:      3\n"
              "made by job:  job-1\n"
              "from:         ais://a/x\n");
    const json document = json::parse(proxy.run({"head", "ais://b/x", "-o", "json"}).out);
    EXPECT_EQ(document["size"], 4096);
    EXPECT_EQ(document["job"], "job-1");
    const Outcome absent = proxy.run({"head", "ais://b/absent"});
    EXPECT_EQ(absent.status, kExitNotFound);
    EXPECT_EQ(absent.err, "millrace: head: object \"ais://b/absent\" does not exist\n");
}

TEST(Bucket, VerbsSpeakTheApi) {
    FakeNode proxy([](const Seen& seen, http::Response& response) -> Task<void> {
        if (seen.method == "HEAD") {
            return answer(response, 200, {{"Ais-Bucket-Props", R"({"provider":"ais","small_object_max":65536})"}}, "");
        }
        if (seen.target.ends_with("?summary")) {
            return answer_json(response, json::parse(R"({"objects":500,"bytes":900,"smallest":1,"largest":2,"targets":{"t-1":490,"t-2":10}})"));
        }
        if (seen.method == "GET") {
            return answer_json(response, json::parse(R"([{"name":"a","provider":"ais"},{"name":"b"}])"));
        }
        if (seen.target == "/v1/buckets/twice") {
            return answer_error(response, fail(Code::already_exists, "bucket \"ais://twice\" exists"));
        }
        if (seen.target.contains("bck_to=")) return answer(response, 200, {}, "move-bck-1.2");
        return answer(response, 200, {}, "");
    });
    EXPECT_EQ(proxy.run({"bucket", "create", "ais://b", "--small-object-max", "1KiB"}).out, "created ais://b\n");
    EXPECT_EQ(json::parse(proxy.seen().back().body),
              json::parse(R"({"action":"create-bck","value":{"small_object_max":1024}})"));
    EXPECT_EQ(proxy.run({"bucket", "create", "ais://twice"}).status, kExitUsage);
    EXPECT_EQ(proxy.run({"bucket", "mv", "ais://b", "ais://c"}).out, "renamed ais://c\n");
    EXPECT_EQ(proxy.seen().back().target, "/v1/buckets/b?bck_to=ais%2F%40%23%2Fc%2F");
    EXPECT_EQ(json::parse(proxy.seen().back().body), json::parse(R"({"action":"move-bck"})"));
    EXPECT_EQ(proxy.run({"bucket", "mv", "ais://b", "c"}).status, kExitUsage);
    EXPECT_EQ(proxy.run({"bucket", "ls"}).out, "ais://a\nais://b\n");
    EXPECT_EQ(proxy.run({"bucket", "rm", "ais://b"}).out, "removed ais://b\n");
    EXPECT_EQ(json::parse(proxy.seen().back().body)["action"], "destroy-bck");
    EXPECT_EQ(proxy.run({"bucket", "head", "ais://b"}).out,
              "name:              b\nbytes:             900\nobjects:           500\nprovider:          ais\nsmall_object_max:  65536\n"
              "targets:           {\"t-1\":490,\"t-2\":10}\n"
              "note: t-1 has 490 of the 500 objects, and works longest: names that differ in their extensions only have one place\n");
    EXPECT_EQ(proxy.run({"bucket", "rm", "ais://b/object"}).status, kExitUsage);
}

TEST(Bucket, AChangeThatTakesTooLongHasItsStatus) {
    FakeNode* self = nullptr;
    FakeNode proxy([&](const Seen&, http::Response&) { return self->hold(); });
    self = &proxy;
    for (const std::vector<std::string>& args : {std::vector<std::string>{"bucket", "rm", "ais://b", "--wait", "--timeout", "30ms"},
                                                 {"bucket", "mv", "ais://b", "ais://c", "--timeout", "30ms"}}) {
        const Outcome outcome = proxy.run(args);
        EXPECT_EQ(outcome.status, kExitTimedOut);
        EXPECT_THAT(outcome.err, HasSubstr("not done on every target after 30ms; it goes on"));
    }
    EXPECT_EQ(proxy.run({"bucket", "rm", "ais://b", "--timeout", "soon"}).status, kExitUsage);
}

TEST(Cluster, ShowListsTheTargets) {
    FakeNode proxy(
        script({{"GET /v1/cluster", {{200, R"({"proxy_id":"p-1","version":3,"sealed":true,"uptime_seconds":62.5,
        "targets":[{"id":"t-1","endpoint":"http://127.0.0.1:1","online":true,"running_slices":1},
                   {"id":"t-2","online":false,"reason":"silent for 6s"}]})"}}}}));
    const Outcome outcome = proxy.run({"cluster", "show"});
    EXPECT_THAT(outcome.out, HasSubstr("uptime:       1m2s\n"));
    EXPECT_THAT(outcome.out, HasSubstr("t-1     online        1  http://127.0.0.1:1"));
    EXPECT_THAT(outcome.out, HasSubstr("silent for 6s"));
}

TEST(Cluster, ShowListsTheKeysThatAreLetIn) {
    FakeNode proxy(script({{"GET /v1/cluster", {{200, R"({"proxy_id":"p-1","targets":[]})"}}},
                           {"GET /v1/cluster/keys", {{200, R"({"secure":true,"proxy_fingerprint":"aa:bb","nodes":[{"id":"t-1","fingerprint":"cc:dd"}]})"}}}}));
    const Outcome outcome = proxy.run({"cluster", "show"});
    EXPECT_THAT(outcome.out, HasSubstr("key of the proxy: aa:bb\n"));
    EXPECT_THAT(outcome.out, HasSubstr("t-1           cc:dd"));
}

TEST(Cluster, InvitePrintsOneLineToRun) {
    FakeNode proxy(script({{"POST /v1/cluster/invitations", {{200, R"({"code":"abc-_","ttl":"10m"})"}}}}));
    const Outcome outcome = proxy.run({"cluster", "invite", "--ttl", "10m"});
    EXPECT_EQ(outcome.out, "MILLRACE_JOIN=abc-_ millrace target --dir DIR\n");
    EXPECT_THAT(outcome.err, HasSubstr("good once and for 10m"));
}

TEST(Cluster, RevokeNamesTheNode) {
    FakeNode proxy(script({{"POST /v1/cluster/nodes/t%2F1/revoke", {{200, R"({"node":"t/1","message":"it is out"})"}}}}));
    EXPECT_EQ(proxy.run({"cluster", "revoke", "t/1"}).out, "it is out\n");
}

// The address of a node that is not there any more.
std::string address_of_nobody() { return FakeNode(script({})).url(); }

// A proxy that sends on to a node that cannot be reached from here, and passes on what it says itself.
FakeNode::Answer proxy_before(std::string node, std::function<Task<void>(const Seen&, http::Response&)> through) {
    return [node = std::move(node), through = std::move(through)](const Seen& seen, http::Response& response) -> Task<void> {
        if (seen.target.ends_with("redirect=no")) return through(seen, response);
        return answer(response, seen.method == "GET" ? 301 : 307, {{"Location", node + seen.target}}, "");
    };
}

TEST(Session, ANodeOutOfReachIsAskedThroughTheProxy) {
    TemporaryFolder folder;
    FakeNode proxy(proxy_before(address_of_nobody(), [](const Seen&, http::Response& response) { return answer(response, 200, {}, "hello"); }));
    const Outcome got = proxy.run({"get", "ais://b/x", "--etl", "squeeze", "-o", "-"});
    EXPECT_EQ(got.status, kExitDone) << got.err;
    EXPECT_EQ(got.out, "hello");
    EXPECT_THAT(got.err, HasSubstr("cannot be reached from here"));
    EXPECT_EQ(proxy.seen().back().target, "/v1/objects/b/x?etl_name=squeeze&redirect=no");
    const Outcome removed = proxy.run({"rm", "ais://b/x", "ais://b/y", "ais://b/z"});
    EXPECT_EQ(removed.status, kExitDone) << removed.err;
    EXPECT_EQ(removed.err.find("cannot be reached"), removed.err.rfind("cannot be reached")) << "said once";
    EXPECT_EQ(proxy.run({"head", "ais://b/x"}).status, kExitDone);
}

TEST(Session, ANodeThatTheProxyDoesNotReachEitherIsDown) {
    FakeNode proxy(proxy_before(address_of_nobody(), [](const Seen&, http::Response& response) {
        return answer_error(response, fail(Code::unavailable, "cannot connect to it"));
    }));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", "-"});
    EXPECT_EQ(outcome.status, kExitUnreachable);
    EXPECT_THAT(outcome.err, HasSubstr("nor does the proxy reach it: cannot connect to it"));
    EXPECT_EQ(outcome.err.find("from here"), std::string::npos);
}

TEST(Session, WhatTheNodeRefusesThroughTheProxyIsItsOwnWord) {
    FakeNode proxy(proxy_before(address_of_nobody(), [](const Seen&, http::Response& response) {
        return answer_error(response, fail(Code::overloaded, "too many requests"));
    }));
    const Outcome outcome = proxy.run({"get", "ais://b/x", "-o", "-"});
    EXPECT_THAT(outcome.err, HasSubstr("millrace: get ais://b/x: too many requests"));
}

TEST(Session, AnUnreachableClusterSaysWhatToDo) {
    std::string url;
    {
        FakeNode gone(script({}));
        url = gone.url();
    }
    const Outcome outcome = run_command({"job", "ls"}, {{"MILLRACE_ENDPOINT", url}});
    EXPECT_EQ(outcome.status, kExitUnreachable);
    EXPECT_THAT(outcome.err, HasSubstr("millrace: cannot reach " + url + ": "));
    EXPECT_THAT(outcome.err, HasSubstr("\n  start one with: millrace dev"));
}

TEST(Session, AnEmptyReplyIsNoEmptyList) {
    FakeNode proxy([](const Seen&, http::Response& response) { return answer(response, 200, {}, ""); });
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"job", "ls"}, {"etl", "ls"}, {"bucket", "ls"}, {"ls", "ais://b"}, {"job", "errors", "job-1"},
          {"etl", "errors", "squeeze"}}) {
        const Outcome outcome = proxy.run(args);
        EXPECT_EQ(outcome.status, kExitFailed) << args[0] << ' ' << args[1];
        EXPECT_THAT(outcome.err, HasSubstr("is the endpoint a Millrace proxy?"));
    }
}

TEST(Session, AReplyThatIsNotJsonIsAnError) {
    FakeNode proxy(
        script({{"GET /v1/jobs", {{200, "<html>hello</html>"}}}, {"GET /v1/transforms", {{500, "<html>oops</html>"}}}}));
    const Outcome outcome = proxy.run({"job", "ls"});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.err, HasSubstr("is the endpoint a Millrace proxy?"));
    EXPECT_EQ(proxy.run({"etl", "ls"}).status, kExitFailed);
}

}  // namespace
}  // namespace millrace::cli
