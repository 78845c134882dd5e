// What is running ends when its context is over: filters, copies to a target that does not read, waits for one that does not answer.
#include "worker/lane_workers.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/store/store_fixture.h"
#include "worker/local_buckets.h"
#include "worker/lanes.h"

namespace millrace::worker {
namespace {

// Accepts connections and reads nothing.
class SilentPeer {
public:
    SilentPeer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(socket_, 16), 0);
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        endpoint_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    ~SilentPeer() {
        for (const int connection : connections_) ::close(connection);
        ::close(socket_);
    }
    const std::string& endpoint() const { return endpoint_; }

    // Until somebody has connected and sent something.
    void wait_contact() {
        connections_.push_back(::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC));
        pollfd readable{connections_.back(), POLLIN, 0};
        ASSERT_EQ(::poll(&readable, 1, 60'000), 1);
    }

private:
    int socket_;
    std::vector<int> connections_;
    std::string endpoint_;
};

class Workers : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        ASSERT_TRUE(store_->create_bucket("copies", store::kSmallMax));
        spool_ = std::make_unique<SpoolFolder>(*SpoolFolder::open(folder_ / "spool"));
        transforms_ = std::make_unique<TransformTable>(runtime::InstanceEnvironment{loop_.executor(), lanes_.executors(), folder_ / "run"}, [] {});
        execution_ = std::make_unique<ObjectExecution>(*spool_, *transforms_);
        workers_ = std::make_shared<LaneWorkers>(lanes_, *execution_, queue_, [] {});
        cluster_.update({.version = 1, .targets = {{"t1", "http://127.0.0.1:1", true}}});
    }
    void TearDown() override {
        run_blocking(loop_, transforms_->stop());
        transforms_.reset();
        StoreFixture::TearDown();
    }

    // A filter that says that it runs, and then does so for hours.
    void start_slow_filter() {
        const std::string script = "cat >/dev/null; echo $$ >" + std::string(folder_ / "runs") + "; exec sleep 10000";
        wire::TransformEntry entry{"slow-filter", "{\"name\": \"slow-filter\", \"cmd\": [\"sh\", \"-c\", \"" + script + "\"], \"obj_timeout\": \"5h\"}"};
        auto apply = [&] {
            transforms_->apply({entry});
            return 0;
        };
        run_blocking(loop_, call_on(loop_.executor(), apply));
        wait_until([&] { return transforms_->ready("slow-filter").has_value(); });
    }
    std::shared_ptr<SliceContext> context(wire::JobSpec spec) {
        return std::make_shared<SliceContext>(SliceContext{JobId("job-1"), spec, spec.transforms(), spec.rename(), 1, 1,
                                                           store_->next_created_seq(), LocalBuckets(*store_).reader(spec.source, ""),
                                                           LocalBuckets(*store_).writer(spec.destination, ""), cluster_});
    }
    void start(const std::shared_ptr<const SliceContext>& context, const std::string& name) {
        queue_->add({{1, name, false}}, context);
        for (const std::size_t place : queue_->hire(4)) workers_->hire(place);
    }
    Completion wait_completion() {
        std::vector<Completion> done;
        wait_until([&] {
            done = queue_->collect();
            return !done.empty();
        });
        return done.empty() ? Completion{0, std::unexpected(Failure{}), false} : std::move(done.front());
    }
    // The end of each test's wait is an event; the bound is for a machine that hangs.
    template <class Condition>
    static void wait_until(Condition condition) {
        const Instant deadline = steady_now() + std::chrono::seconds(60);
        while (!condition()) {
            ASSERT_LT(steady_now(), deadline);
            std::this_thread::sleep_for(milliseconds(1));
        }
    }
    void expect_interrupted(const std::shared_ptr<SliceContext>& context) {
        *context->over = true;
        workers_->end_what_is_over();
        const Completion ended = wait_completion();
        EXPECT_TRUE(ended.interrupted);
        EXPECT_EQ(ended.ticket, 1u);
    }
    wire::JobSpec copy_to(const std::string& endpoint) {
        cluster_.update({.version = 2, .targets = {{"t1", "", true}, {"t2", endpoint, true}}});
        wire::JobSpec spec{.source = "photos", .destination = "copies", .operation = wire::Operation::copy};
        spec.prepend = "elsewhere-";
        while (*cluster_.placement()->owner(spec.prepend + "x") == cluster_.self()) spec.prepend += "-";
        return spec;
    }

    Lanes lanes_{"lane", 0, 2};
    std::unique_ptr<SpoolFolder> spool_;
    std::unique_ptr<TransformTable> transforms_;
    ClusterView cluster_{TargetId("t1")};
    std::shared_ptr<RunQueue> queue_ = std::make_shared<RunQueue>(2, 0);
    std::unique_ptr<ObjectExecution> execution_;
    std::shared_ptr<LaneWorkers> workers_;
};

TEST_F(Workers, AFilterIsKilledAndTheNextObjectOfItsLaneRuns) {
    start_slow_filter();
    ASSERT_TRUE(put("x", store::content(5000)));
    const auto slow = context({.transform = "slow-filter", .source = "photos", .destination = "copies"});
    start(slow, "x");
    wait_until([&] { return std::filesystem::exists(folder_ / "runs") && std::filesystem::file_size(folder_ / "runs") > 0; });
    expect_interrupted(slow);
    int pid = 0;
    std::ifstream(folder_ / "runs") >> pid;
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(pid)));
    EXPECT_FALSE(store_->stat("copies", "x"));
    start(context({.source = "photos", .destination = "copies", .operation = wire::Operation::copy}), "x");
    const Completion done = wait_completion();
    EXPECT_TRUE(done.result) << done.result.error().error.context;
    EXPECT_FALSE(done.interrupted);
}

TEST_F(Workers, ACopyToATargetThatDoesNotReadIsGivenUp) {
    SilentPeer peer;
    ASSERT_TRUE(put("x", store::content(20'000'000)));
    const auto copy = context(copy_to(peer.endpoint()));
    start(copy, "x");
    peer.wait_contact();
    expect_interrupted(copy);
}

TEST_F(Workers, ACopyToATargetThatDoesNotAnswerIsGivenUp) {
    SilentPeer peer;
    ASSERT_TRUE(put("x", store::content(10)));
    auto spec = copy_to(peer.endpoint());
    for (const auto overwrite : {wire::Overwrite::always, wire::Overwrite::never}) {
        spec.overwrite = overwrite;  // never: it asks first
        const auto copy = context(spec);
        start(copy, "x");
        peer.wait_contact();
        expect_interrupted(copy);
    }
}

TEST_F(Workers, WhatHasNotBegunIsNotBegun) {
    ASSERT_TRUE(put("x", store::content(10)));
    const auto copy = context({.source = "photos", .destination = "copies", .operation = wire::Operation::copy});
    *copy->over = true;
    start(copy, "x");
    EXPECT_TRUE(wait_completion().interrupted);
    EXPECT_FALSE(store_->stat("copies", "x"));
}

}  // namespace
}  // namespace millrace::worker
