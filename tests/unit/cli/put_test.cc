#include <gmock/gmock.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/hash.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// A proxy and one or two targets; each target keeps what is put there, or answers with an error first.
struct Cluster {
    std::map<std::string, std::string>
        kept;  // "t-1/v1/objects/b/x" → body; on the fake's loops, read once they are idle
    std::map<std::string, std::string> passed_on;  // the same of the proxy
    std::mutex mutex;
    std::vector<Error> errors_first;
    std::function<void()> before_error;
    std::vector<std::unique_ptr<FakeNode>> targets;
    std::unique_ptr<FakeNode> proxy;
    json map;

    explicit Cluster(int target_count) {
        map = {{"proxy_id", "p-1"}, {"version", 1}, {"sealed", true}, {"targets", json::array()}};
        for (int i = 1; i <= target_count; ++i) {
            const std::string id = "t-" + std::to_string(i);
            targets.push_back(std::make_unique<FakeNode>(
                [this, id](const Seen& seen, http::Response& response) { return at_target(id, seen, response); }));
            map["targets"].push_back({{"id", id}, {"endpoint", targets.back()->url()}, {"online", true}});
        }
        proxy = std::make_unique<FakeNode>([this](const Seen& seen, http::Response& response) {
            const std::lock_guard lock(mutex);
            if (seen.method == "PUT") {
                passed_on[seen.target] = seen.body;
                return answer(response, 200, {}, "");
            }
            return answer_json(response, map);
        });
    }

    Task<void> at_target(std::string id, const Seen& seen, http::Response& response) {
        const std::lock_guard lock(mutex);
        if (!errors_first.empty()) {
            const Error error = errors_first.front();
            if (before_error) before_error();
            errors_first.erase(errors_first.begin());
            return answer_error(response, error);
        }
        if (const auto checksum = seen.headers.find("Ais-Checksum-Value");
            checksum && *checksum != checksum_text(xxh64(seen.body))) {
            return answer_error(response, fail(Code::checksum_mismatch, "other bytes"));
        }
        kept[id + seen.target] = seen.body;
        return answer(response, 200, {}, "");
    }
    std::size_t requests() const {
        std::size_t count = 0;
        for (const auto& target : targets) count += target->seen().size();
        return count;
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& [key, body] : kept) names.push_back(key.substr(key.find("/v1/objects/") + 12));
        return names;
    }
};

TEST(Put, AFileGoesToItsOwnerWithItsChecksum) {
    TemporaryFolder folder;
    folder.write("a b.txt", "hello");
    Cluster cluster(1);
    const Outcome outcome = cluster.proxy->run({"put", folder.path("a b.txt"), "ais://b"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(outcome.out, "put ais://b/a b.txt (5 B)\n");
    const auto seen = cluster.targets[0]->seen();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].method, "PUT");
    EXPECT_EQ(seen[0].target, "/v1/objects/b/a%20b.txt");
    EXPECT_EQ(seen[0].body, "hello");
    EXPECT_EQ(seen[0].headers.find("Ais-Checksum-Type"), "xxhash2");
    EXPECT_EQ(seen[0].headers.find("Ais-Checksum-Value"), checksum_text(xxh64("hello")));
    EXPECT_EQ(seen[0].headers.find("Content-Length"), "5");
}

TEST(Put, NamesComeFromTheDestinationOrTheFile) {
    TemporaryFolder folder;
    folder.write("x", "1");
    Cluster cluster(1);
    EXPECT_EQ(cluster.proxy->run({"put", folder.path("x"), "ais://b/d/"}).status, kExitDone);
    EXPECT_EQ(cluster.proxy->run({"put", folder.path("x"), "ais://b/d/other"}).status, kExitDone);
    EXPECT_THAT(cluster.names(), UnorderedElementsAre("b/d/x", "b/d/other"));
}

TEST(Put, ALargeFileIsStreamedWhole) {
    TemporaryFolder folder;
    std::string content;
    for (int i = 0; content.size() < (3 << 20); ++i) content += std::to_string(i) + "\n";
    folder.write("large", content);
    Cluster cluster(1);
    cluster.errors_first = {fail(Code::unavailable, "restarting")};
    EXPECT_EQ(cluster.proxy->run({"put", folder.path("large"), "ais://b"}).status, kExitDone);
    EXPECT_EQ(cluster.kept["t-1/v1/objects/b/large"], content);
}

TEST(Put, StandardInputIsSentChunked) {
    Cluster cluster(1);
    const std::string content(700'000, 'x');
    const Outcome outcome = cluster.proxy->run({"put", "-", "ais://b/from-stdin", "-o", "json"}, content);
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(json::parse(outcome.out)["object"], "ais://b/from-stdin");
    EXPECT_EQ(cluster.kept["t-1/v1/objects/b/from-stdin"], content);
    EXPECT_EQ(cluster.targets[0]->seen()[0].headers.find("Content-Length"), std::nullopt);
    EXPECT_EQ(cluster.proxy->run({"put", "-", "ais://b"}, "x").status, kExitUsage);
}

TEST(Put, AFolderGoesUpAsATree) {
    TemporaryFolder folder;
    for (int i = 0; i < 60; ++i) {
        folder.write("in/" + std::to_string(i % 7) + "/f" + std::to_string(i) + ".txt", "content " + std::to_string(i));
    }
    folder.write("outside", "linked");
    std::filesystem::create_symlink(folder.path("outside"), folder.path("in/link"));
    std::filesystem::create_directory_symlink(folder.path("in"), folder.path("in/loop"));
    std::filesystem::create_symlink(folder.path("absent"), folder.path("in/dangling"));
    Cluster cluster(2);
    const Outcome outcome = cluster.proxy->run({"put", folder.path("in"), "ais://b/pre", "-o", "json"});
    EXPECT_EQ(outcome.status, kExitFailedObjects) << outcome.err;
    const json tally = json::parse(outcome.out);
    EXPECT_EQ(tally["objects"], 61);
    EXPECT_EQ(tally["skipped"], 2);
    EXPECT_EQ(tally["skips"].size(), 2u);
    EXPECT_EQ(tally["failed"], 0);
    EXPECT_EQ(cluster.requests(), 61u);
    EXPECT_GT(cluster.targets[0]->seen().size(), 0u);
    EXPECT_GT(cluster.targets[1]->seen().size(), 0u);
    EXPECT_THAT(cluster.names(), testing::Contains("b/pre/link"));
    EXPECT_THAT(cluster.names(), testing::Contains("b/pre/3/f3.txt"));
    EXPECT_THAT(outcome.err, HasSubstr("loop, which is a link to a folder"));
    EXPECT_THAT(outcome.err, HasSubstr("dangling, which is a link to nothing"));
}

TEST(Put, LinkedFoldersAreFollowedWhenAskedForButNotInCircles) {
    TemporaryFolder folder;
    folder.write("in/a/x", "1");
    folder.write("elsewhere/deep/y", "2");
    std::filesystem::create_directory_symlink(folder.path("elsewhere"), folder.path("in/linked"));
    std::filesystem::create_directory_symlink("a", folder.path("in/again"));
    Cluster cluster(1);
    const Outcome outcome = cluster.proxy->run({"put", folder.path("in"), "ais://b", "--follow-links"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_THAT(cluster.names(), UnorderedElementsAre("b/a/x", "b/again/x", "b/linked/deep/y"));
    std::filesystem::create_directory_symlink(folder.path("in"), folder.path("elsewhere/deep/up"));
    const Outcome circle = cluster.proxy->run({"put", folder.path("in"), "ais://b", "--follow-links"});
    EXPECT_EQ(circle.status, kExitFailedObjects);
    EXPECT_THAT(circle.err, HasSubstr("in/linked/deep/up, which leads back to a folder that it lies in"));
    EXPECT_EQ(cluster.names().size(), 3u);
}

TEST(Put, WhatIsNoFileInAFolderIsNamedAndCounted) {
    TemporaryFolder folder;
    folder.write("in/x", "1");
    ASSERT_EQ(::mkfifo(folder.path("in/pipe").c_str(), 0600), 0);
    for (int i = 0; i < 1010; ++i) std::filesystem::create_symlink("nothing", folder.path("in/link" + std::to_string(i)));
    Cluster cluster(1);
    const Outcome outcome = cluster.proxy->run({"put", folder.path("in"), "ais://b"});
    EXPECT_EQ(outcome.status, kExitFailedObjects);
    EXPECT_THAT(outcome.out, HasSubstr("put 1 object, "));
    EXPECT_THAT(outcome.out, HasSubstr(", 1011 skipped\n"));
    EXPECT_THAT(outcome.err, HasSubstr("put: 11 more were skipped\n"));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1001);
}

TEST(Put, AFileIsAsLongAsItsEndSays) {
    Cluster cluster(1);
    const Outcome outcome = cluster.proxy->run({"put", "/proc/self/status", "ais://b/status"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_THAT(cluster.kept["t-1/v1/objects/b/status"], testing::StartsWith("Name:"));
    EXPECT_EQ(outcome.out.find("(0 B)"), std::string::npos);
    const char* const page = "/sys/kernel/mm/transparent_hugepage/enabled";  // which is said to have 4096 bytes
    if (!std::filesystem::exists(page)) return;
    EXPECT_EQ(cluster.proxy->run({"put", page, "ais://b/page"}).status, kExitDone);
    EXPECT_THAT(cluster.kept["t-1/v1/objects/b/page"], HasSubstr("never"));
}

TEST(Put, AFileThatChangesWhileItIsReadIsNotStored) {
    TemporaryFolder folder;
    const std::string content(3 << 20, 'x');
    std::vector<std::function<void()>> changes{[&] { std::ofstream(folder.path("x"), std::ios::app) << "more"; },
                                               [&] { std::filesystem::resize_file(folder.path("x"), 1 << 20); },
                                               [&] { folder.make_older("x"); },
                                               [&] { folder.write("y", content), std::filesystem::rename(folder.path("y"), folder.path("x")); }};
    for (const auto& change : changes) {
        folder.write("x", content);
        Cluster cluster(1);
        cluster.errors_first = {fail(Code::unavailable, "restarting")};
        cluster.before_error = change;  // between one reading and the next
        const Outcome outcome = cluster.proxy->run({"put", folder.path("x"), "ais://b"});
        EXPECT_EQ(outcome.status, kExitFailed);
        EXPECT_THAT(outcome.err, HasSubstr("x changed while it was read; nothing of it is stored"));
        EXPECT_TRUE(cluster.kept.empty());
    }
}

TEST(Put, APipeIsReadToItsEnd) {
    TemporaryFolder folder;
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    Cluster cluster(1);
    std::thread writer([&] { folder.write("pipe", std::string(700'000, 'p')); });
    const Outcome outcome = cluster.proxy->run({"put", folder.path("pipe"), "ais://b/x"});
    writer.join();
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(cluster.kept["t-1/v1/objects/b/x"].size(), 700'000u);
    const Outcome nameless = cluster.proxy->run({"put", folder.path("pipe"), "ais://b"});
    EXPECT_EQ(nameless.status, kExitUsage);
    EXPECT_THAT(nameless.err, HasSubstr("give one: ais://b/NAME"));
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::write(ends[1], "handed over", 11), 11);
    ::close(ends[1]);
    EXPECT_EQ(cluster.proxy->run({"put", "/dev/fd/" + std::to_string(ends[0]), "ais://b/y"}).status, kExitDone);
    ::close(ends[0]);
    EXPECT_EQ(cluster.kept["t-1/v1/objects/b/y"], "handed over");
}

TEST(Put, GoesThroughTheProxyWhereTheOwnerIsOutOfReach) {
    TemporaryFolder folder;
    for (int i = 0; i < 40; ++i) folder.write("f" + std::to_string(i), std::string(static_cast<std::size_t>(i) * 1000, 'x'));
    Cluster cluster(1);
    cluster.targets[0]->stop();
    const Outcome outcome = cluster.proxy->run({"put", folder.path(), "ais://b"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(cluster.passed_on.size(), 40u);
    EXPECT_EQ(cluster.passed_on["/v1/objects/b/f7?redirect=no"].size(), 7000u);
    EXPECT_NE(outcome.err.find("cannot be reached from here"), std::string::npos);
    EXPECT_EQ(outcome.err.find("from here"), outcome.err.rfind("from here"));
}

TEST(Put, AFolderWithBadFilesNamesThemAndPutsTheOthers) {
    TemporaryFolder folder;
    folder.write("good", "1");
    folder.write("new\nline", "2");
    Cluster cluster(1);
    const Outcome outcome = cluster.proxy->run({"put", folder.path(), "ais://b"});
    EXPECT_EQ(outcome.status, kExitFailedObjects);
    EXPECT_THAT(outcome.err, HasSubstr("new\\x0aline: object name contains a control character"));
    EXPECT_THAT(outcome.out, HasSubstr("put 1 object, 1 B in "));
    EXPECT_THAT(outcome.out, HasSubstr(", 1 failed\n"));
    EXPECT_EQ(cluster.requests(), 1u);
}

TEST(Put, AMovedOwnerIsFoundWithANewMap) {
    TemporaryFolder folder;
    folder.write("x", "1");
    Cluster cluster(1);
    cluster.errors_first = {fail(Code::unavailable, "gone"), fail(Code::unavailable, "starting")};
    const Outcome outcome = cluster.proxy->run({"put", folder.path("x"), "ais://b"});
    EXPECT_EQ(outcome.status, kExitDone) << outcome.err;
    EXPECT_EQ(cluster.targets[0]->seen().size(), 3u);
    EXPECT_EQ(cluster.proxy->seen().size(), 3u);
}

TEST(Put, ARefusalIsNotRepeated) {
    TemporaryFolder folder;
    folder.write("x", "1");
    Cluster cluster(1);
    cluster.errors_first = {fail(Code::no_space, "disk full")};
    const Outcome outcome = cluster.proxy->run({"put", folder.path("x"), "ais://b"});
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_EQ(outcome.err, "millrace: put ais://b/x: disk full\n");
    EXPECT_EQ(cluster.requests(), 1u);
}

TEST(Put, AMissingBucketEndsAFolderAtOnce) {
    TemporaryFolder folder;
    for (int i = 0; i < 40; ++i) folder.write("f" + std::to_string(i), "1");
    Cluster cluster(1);
    cluster.errors_first.assign(100, fail(Code::not_found, "bucket \"ais://b\" does not exist"));
    const Outcome outcome = cluster.proxy->run({"put", folder.path(), "ais://b"});
    EXPECT_EQ(outcome.status, kExitNotFound);
    EXPECT_THAT(outcome.err, HasSubstr("bucket \"ais://b\" does not exist\n"));
    EXPECT_LE(cluster.requests(), 16u);
}

TEST(Put, AnInterruptSaysHowFarItGot) {
    TemporaryFolder folder;
    for (int i = 0; i < 40; ++i) folder.write("f" + std::to_string(i), "1");
    Cluster cluster(1);
    FakeNode* self = nullptr;
    bool sent = false;
    FakeNode stuck([&](const Seen&, http::Response&) -> Task<void> {
        if (!std::exchange(sent, true)) ::kill(::getpid(), SIGINT);  // a second one would end the process
        co_await self->hold();
    });
    self = &stuck;
    cluster.map["targets"][0]["endpoint"] = stuck.url();
    const Outcome outcome = cluster.proxy->run({"put", folder.path(), "ais://b"});
    EXPECT_EQ(outcome.status, kExitInterrupted);
    EXPECT_THAT(outcome.out, testing::StartsWith("put 0 objects, 0 B in "));
    EXPECT_EQ(outcome.out.find("failed"), std::string::npos);
    EXPECT_THAT(outcome.err, testing::StartsWith("millrace: put: interrupted; "));
}

TEST(Put, BadInputIsRefusedBeforeAnythingIsSent) {
    TemporaryFolder folder;
    folder.write("x", "1");
    Cluster cluster(1);
    EXPECT_EQ(cluster.proxy->run({"put", folder.path("absent"), "ais://b"}).status, kExitUsage);
    EXPECT_EQ(cluster.proxy->run({"put", folder.path("x"), "b"}).status, kExitUsage);
    const Outcome outcome = cluster.proxy->run({"put", folder.path("x"), "ais://b/../x"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_THAT(outcome.err, HasSubstr("'../x'"));
    EXPECT_EQ(cluster.proxy->seen().size(), 0u);
}

TEST(Put, AnOfflineOwnerIsNamed) {
    TemporaryFolder folder;
    folder.write("x", "1");
    Cluster cluster(1);
    cluster.map["targets"][0]["online"] = false;
    cluster.map["targets"][0]["endpoint"] = "";
    const Outcome outcome = cluster.proxy->run({"put", folder.path("x"), "ais://b"});
    EXPECT_EQ(outcome.status, kExitUnreachable);
    EXPECT_THAT(outcome.err, HasSubstr("target t-1, which owns it, is offline"));
}

}  // namespace
}  // namespace millrace::cli
