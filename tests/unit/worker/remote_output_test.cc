// What goes to another target, against a server that stands for it: outputs, and calls to make them durable.
#include "worker/remote_output.h"

#include <gtest/gtest.h>

#include <atomic>

#include "core/check.h"
#include "http/server.h"
#include "tests/unit/store/store_fixture.h"
#include "worker/remote_syncs.h"

namespace millrace::worker {
namespace {

class RemoteOutputTest : public testing::Test {
protected:
    struct Put {
        std::optional<std::uint64_t> announced;
        std::string body;
    };

    void SetUp() override {
        server_ = std::make_unique<http::Server>(std::vector<Executor>{owner_.executor()}, [this](http::Request& request, http::Response& response) {
            return take(request, response);
        });
        const auto port = server_->listen("127.0.0.1", 0);
        ASSERT_TRUE(port);
        endpoint_ = {"127.0.0.1", *port, ""};
    }
    void TearDown() override { server_->stop(std::chrono::seconds(5)); }

    Task<void> take(http::Request& request, http::Response& response) {
        ++begun_;
        const auto announced = request.size();
        auto body = co_await request.read_all(64 << 20);
        if (body) puts_.push_back({announced, std::move(*body)});
        http::Headers headers{{"Millrace-Boot", "b-1"}};
        (void)co_await response.send(200, std::move(headers), "");
    }

    Task<Result<std::string>> send(std::vector<std::string> pieces) {
        RemoteOutput output(lane_, cluster_, TargetId("t2"), endpoint_);
        output.begin("photos", "x", http::Headers{});
        for (const std::string& piece : pieces) {
            const std::span<const std::byte> bytes = as_bytes(piece);
            MILLRACE_CHECK((co_await output.sink().write(bytes)).has_value());
        }
        begun_before_the_end_ = begun_;
        co_return co_await output.finish();
    }

    Loop owner_{"owner"};
    Lane lane_{0};
    std::unique_ptr<http::Server> server_;
    const ClusterView cluster_{TargetId("t1")};
    http::Endpoint endpoint_;
    std::atomic<int> begun_ = 0;
    int begun_before_the_end_ = 0;
    std::vector<Put> puts_;
};

TEST_F(RemoteOutputTest, ItsOwnerHearsNothingBeforeThereIsMuchOfIt) {
    const auto boot = run_blocking(lane_.loop, send({"one ", "two"}));
    ASSERT_TRUE(boot) << boot.error().context;
    EXPECT_EQ(*boot, "b-1");
    EXPECT_EQ(begun_before_the_end_, 0);
    ASSERT_EQ(puts_.size(), 1u);
    EXPECT_EQ(puts_[0].announced, 7u);
    EXPECT_EQ(puts_[0].body, "one two");
}

TEST_F(RemoteOutputTest, AnEmptyOneIsStoredToo) {
    ASSERT_TRUE(run_blocking(lane_.loop, send({})));
    ASSERT_EQ(puts_.size(), 1u);
    EXPECT_EQ(puts_[0].body, "");
}

TEST_F(RemoteOutputTest, ALargeOneIsStreamed) {
    const std::string small = store::content(1000, 1);
    const std::string large = store::content(900'000, 2);
    ASSERT_TRUE(run_blocking(lane_.loop, send({small, large, small})));
    ASSERT_EQ(puts_.size(), 1u);
    EXPECT_EQ(puts_[0].announced, std::nullopt);
    EXPECT_EQ(puts_[0].body, small + large + small);
}

TEST_F(RemoteOutputTest, NothingIsSentOfOneThatFailsEarly) {
    const auto abort = [this]() -> Task<void> {
        RemoteOutput output(lane_, cluster_, TargetId("t2"), endpoint_);
        output.begin("photos", "x", http::Headers{});
        const std::span<const std::byte> bytes = as_bytes("some");
        (void)co_await output.sink().write(bytes);
        co_await output.abort(fail(Code::cancelled, "the transform failed"));
    };
    run_blocking(lane_.loop, abort());
    EXPECT_EQ(begun_, 0);
}

TEST_F(RemoteOutputTest, SlicesShareTheSyncsOfATarget) {
    ClusterView cluster{TargetId("t1")};
    cluster.update({.version = 1, .targets = {{"t1", "", true}, {"t2", endpoint_.text(), true}}});
    RemoteSyncs syncs(lane_.loop.executor(), [&](TargetId target) { return call_to_sync(*lane_.client, cluster, std::move(target)); });
    int done = 0;
    const auto one = [&]() -> Task<void> {
        const Result<std::string> boot = co_await syncs.sync(TargetId("t2"));
        if (boot && *boot == "b-1") ++done;
    };
    const auto all = [&]() -> Task<void> {
        TaskGroup barriers(lane_.loop.executor());
        for (int i = 0; i < 50; ++i) barriers.spawn(one());
        co_await barriers.join();
    };
    run_blocking(lane_.loop, all());
    EXPECT_EQ(done, 50);
    EXPECT_GE(begun_, 2) << "one that is under way covers only what came before it";
    EXPECT_LE(begun_, 3);
    run_blocking(lane_.loop, all());
    EXPECT_EQ(done, 100) << "and again";
}

}  // namespace
}  // namespace millrace::worker
