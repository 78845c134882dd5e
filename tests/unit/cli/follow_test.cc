#include "cli/follow.h"

#include <gmock/gmock.h>

#include <csignal>

#include "cli/session.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr const char* kJob = "GET /v1/jobs/job-1";
constexpr const char* kEvents = "GET /v1/jobs/job-1/events";

std::string job(const std::string& state, int done) {
    return json{{"id", "job-1"}, {"state", state}, {"objects", {{"total", 10}, {"total_known", true}, {"done", done}}}}
        .dump();
}
std::string event(const std::string& document) { return "event: job\ndata: " + document + "\n\n"; }

// Follows without the command line, with pauses of a millisecond.
struct Direct {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Console console{in, out, err, {}};
    FollowOptions options;

    Direct() { options.pause_min = options.pause_max = milliseconds(1); }
    Result<Followed> follow(const FakeNode& proxy) {
        auto endpoint = http::Endpoint::parse(proxy.url());
        if (!endpoint) return endpoint.error();
        Session session({*endpoint, "the test"});
        Context context{console, session, false};
        return follow_job(context, "job-1", options);
    }
};

TEST(Follow, EventsLeadToTheEnd) {
    const std::string stream = ": hello\n\n" + event(job("running", 5)) + "event: other\ndata: x\n\n" +
                               event(job("completed", 10));
    FakeNode proxy(script({{kJob, {{200, job("preparing", 0)}}}, {kEvents, {{200, stream}}}}));
    const Outcome outcome = proxy.run({"job", "watch", "job-1"});
    EXPECT_EQ(outcome.status, kExitDone);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("job-1 preparing: 10 objects found so far\njob-1 running 50% 5/10 objects"));
    EXPECT_THAT(outcome.err, EndsWith("job-1 completed: 10 objects (10 done, 0 failed) in 0s, 0 B in, 0 B out\n"));
    EXPECT_EQ(proxy.seen().size(), 2u);
}

TEST(Follow, WaitIsQuietAndTellsByItsStatus) {
    FakeNode proxy(
        script({{kJob, {{200, job("running", 1)}, {200, job("completed_with_errors", 9)}}}, {kEvents, {{200, ""}}}}));
    const Outcome outcome = proxy.run({"job", "wait", "job-1"});
    EXPECT_EQ(outcome.status, kExitFailedObjects);
    EXPECT_EQ(outcome.err.find("running"), std::string::npos);
    EXPECT_THAT(outcome.err, EndsWith("\nmillrace job retry job-1\n"));
    FakeNode failed(script({{kJob, {{200, job("failed", 9)}}}}));
    const Outcome failure = failed.run({"job", "wait", "job-1", "-o", "json"});
    EXPECT_EQ(failure.status, kExitFailed);
    EXPECT_EQ(json::parse(failure.out)["state"], "failed");
    EXPECT_THAT(failure.err, EndsWith("\nmillrace job resume job-1\n"));
}

TEST(Follow, WithoutAStreamItAsksAgain) {
    FakeNode proxy(
        script({{kJob, {{200, job("running", 1)}, {503, ""}, {200, job("running", 2)}, {200, job("completed", 10)}}},
                {kEvents, {{500, "no"}}}}));
    Direct direct;
    const auto followed = direct.follow(proxy);
    ASSERT_TRUE(followed.has_value()) << followed.error().context;
    EXPECT_EQ(followed->end, Followed::End::terminal);
    const std::string err = direct.err.str();
    const std::size_t said = err.find("lost the events");
    EXPECT_NE(said, std::string::npos);
    EXPECT_EQ(err.find("lost the events", said + 1), std::string::npos);
    EXPECT_EQ(err.find("lost the cluster"), std::string::npos);
}

TEST(Follow, AProxyThatIsNotThereAtFirstIsAnError) {
    FakeNode proxy(script({}));
    EXPECT_EQ(proxy.run({"job", "wait", "job-1"}).status, kExitNotFound);
    proxy.stop();
    Direct direct;
    direct.options.first_word_max = milliseconds(20);
    const auto followed = direct.follow(proxy);
    ASSERT_FALSE(followed.has_value());
    EXPECT_EQ(followed.error().code, Code::unavailable);
    EXPECT_THAT(direct.err.str(), HasSubstr("trying to reach it again"));
}

TEST(Follow, AProxyThatIsAwayAtFirstIsWaitedFor) {
    FakeNode proxy(script({{kJob, {{503, ""}, {502, "<html>bad gateway</html>"}, {200, job("completed", 10)}}}}));
    Direct direct;
    direct.options.is_known = true;
    const auto followed = direct.follow(proxy);
    ASSERT_TRUE(followed.has_value()) << followed.error().context;
    EXPECT_EQ(followed->end, Followed::End::terminal);
    const std::string err = direct.err.str();
    EXPECT_EQ(err.find("lost the cluster"), err.rfind("lost the cluster")) << "said once";
}

TEST(Follow, ATimeLimitIsHowLongAProxyMayBeAway) {
    FakeNode proxy(script({{kJob, {{200, job("running", 1)}, {503, ""}}}, {kEvents, {{200, ""}}}}));
    Direct direct;
    direct.options.silence_max = milliseconds(0);
    direct.options.time_max = milliseconds(50);
    const auto followed = direct.follow(proxy);
    ASSERT_TRUE(followed.has_value()) << followed.error().context;
    EXPECT_EQ(followed->end, Followed::End::timed_out);
}

TEST(Follow, WhatAJobWasToldIsFollowedToo) {
    FakeNode proxy(script({{"POST /v1/jobs/job-1/retry", {{200, job("running", 1)}}},
                           {"POST /v1/jobs/job-1/resume?with_current=true", {{200, job("running", 1)}}},
                           {kJob, {{503, ""}, {200, job("completed_with_errors", 9)}}},
                           {kEvents, {{200, ""}}}}));
    const Outcome retried = proxy.run({"job", "retry", "job-1", "--wait", "--timeout", "1m"});
    EXPECT_EQ(retried.status, kExitFailedObjects) << retried.err;
    EXPECT_EQ(retried.out, "job-1 running\n");
    const Outcome resumed = proxy.run({"job", "resume", "job-1", "--with-current", "--watch", "-o", "json"});
    EXPECT_EQ(resumed.status, kExitFailedObjects);
    EXPECT_EQ(json::parse(resumed.out)["state"], "completed_with_errors");
    EXPECT_EQ(proxy.run({"job", "retry", "job-1", "--timeout", "1m"}).status, kExitUsage) << "nothing is waited for";
}

TEST(Follow, AProxyThatStaysAwayIsGivenUp) {
    FakeNode proxy(script({{kJob, {{200, job("running", 1)}, {503, ""}}}, {kEvents, {{200, ""}}}}));
    Direct direct;
    direct.options.silence_max = milliseconds(20);
    const auto followed = direct.follow(proxy);
    ASSERT_FALSE(followed.has_value());
    EXPECT_EQ(followed.error().code, Code::unavailable);
    EXPECT_THAT(direct.err.str(), HasSubstr("lost the cluster"));
}

TEST(Follow, TheTimeLimitIsAStatusOfItsOwn) {
    FakeNode proxy(script({{kJob, {{200, job("running", 1)}}}, {kEvents, {{200, ""}}}}));
    const Outcome outcome = proxy.run({"job", "wait", "job-1", "--timeout", "50ms"});
    EXPECT_EQ(outcome.status, kExitTimedOut);
    EXPECT_THAT(outcome.err, HasSubstr("not finished after 50ms; it goes on"));
    EXPECT_EQ(proxy.run({"job", "wait", "job-1", "--timeout", "later"}).status, kExitUsage);
}

TEST(Follow, AnInterruptDetaches) {
    FakeNode* self = nullptr;
    FakeNode proxy([&](const Seen& seen, http::Response& response) -> Task<void> {
        if (seen.target == "/v1/jobs") {
            co_await answer_json(response, json::parse(job("preparing", 0)), 202);
        } else if (seen.target == "/v1/jobs/job-1") {
            co_await answer_json(response, json::parse(job("running", 1)));
        } else {
            const http::Headers headers{{"Content-Type", "text/event-stream"}};
            auto started = co_await response.start(200, headers, std::nullopt);
            (void)started;
            ::kill(::getpid(), SIGINT);
            co_await self->hold();
        }
    });
    self = &proxy;
    const Outcome outcome = proxy.run({"job", "run", "squeeze", "ais://a", "ais://b"});
    EXPECT_EQ(outcome.status, kExitInterrupted);
    EXPECT_EQ(outcome.out, "job-1\n");
    EXPECT_EQ(outcome.err.find("lost"), std::string::npos) << outcome.err;
    EXPECT_THAT(outcome.err, EndsWith("detached; job-1 goes on. Watch it again: millrace job watch job-1\n"));
}

}  // namespace
}  // namespace millrace::cli
