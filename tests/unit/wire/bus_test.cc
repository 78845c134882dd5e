#include "wire/bus.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <zmq.hpp>

#include "core/loop.h"

namespace millrace::wire {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);  // a test that waits this long has failed

// Messages as they arrived on the loop, to be waited for by the test's thread.
class Arrivals {
public:
    void add(const std::string& peer, Message message) {
        {
            const std::lock_guard lock(mutex_);
            arrived_.emplace_back(peer, std::move(message));
        }
        changed_.notify_all();
    }

    std::optional<std::pair<std::string, Message>> next(Duration patience = kPatience) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return !arrived_.empty(); })) return std::nullopt;
        auto first = std::move(arrived_.front());
        arrived_.pop_front();
        return first;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::pair<std::string, Message>> arrived_;
};

class Bus : public testing::Test {
protected:
    std::unique_ptr<RouterBus> router(const std::string& endpoint = "tcp://127.0.0.1:0") {
        auto made = std::make_unique<RouterBus>(loop_.executor(), [this](const std::string& peer, Message message) {
            at_router_.add(peer, std::move(message));
        });
        const auto bound = made->bind(endpoint);
        EXPECT_TRUE(bound) << bound.error().context;
        if (bound) endpoint_ = *bound;
        return made;
    }

    std::unique_ptr<DealerBus> dealer(const std::string& id, Arrivals& arrivals) {
        auto made = std::make_unique<DealerBus>(loop_.executor(), [&arrivals](Message message) { arrivals.add("", std::move(message)); });
        EXPECT_TRUE(made->connect(endpoint_, id));
        return made;
    }

    // What is not yet connected, or connected to a router that is gone, loses messages: say it until it is heard.
    std::optional<std::pair<std::string, Message>> say_until_heard(DealerBus& from, const std::string& boot_id) {
        const Instant deadline = steady_now() + kPatience;
        while (steady_now() < deadline) {
            EXPECT_TRUE(from.send(Goodbye{boot_id}));
            auto heard = at_router_.next(milliseconds(20));
            if (heard && std::get<Goodbye>(heard->second).boot_id == boot_id) return heard;
        }
        return std::nullopt;
    }

    std::string endpoint_;
    Arrivals at_router_;
    Arrivals at_first_;
    Arrivals at_second_;
    Loop loop_{"bus-test"};
};

TEST_F(Bus, MessagesCarryTheIdOfTheirSender) {
    const auto bus = router();
    const auto first = dealer("t1", at_first_);
    const auto second = dealer("t2", at_second_);
    const auto one = say_until_heard(*first, "first");
    const auto two = say_until_heard(*second, "second");
    ASSERT_TRUE(one && two);
    EXPECT_EQ(one->first, "t1");
    EXPECT_EQ(two->first, "t2");
}

TEST_F(Bus, TheRouterAnswersTheOneItMeans) {
    const auto bus = router();
    const auto first = dealer("t1", at_first_);
    const auto second = dealer("t2", at_second_);
    ASSERT_TRUE(say_until_heard(*first, "first") && say_until_heard(*second, "second"));
    ASSERT_TRUE(bus->send("t2", StatusAck{"job-1", 1, 2}));
    const auto got = at_second_.next();
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<StatusAck>(got->second).seq, 2u);
    EXPECT_FALSE(at_first_.next(milliseconds(0)));
}

TEST_F(Bus, MessagesOfOneSenderStayInOrder) {
    const auto bus = router();
    const auto first = dealer("t1", at_first_);
    ASSERT_TRUE(say_until_heard(*first, "first"));
    for (std::uint64_t i = 1; i <= 500; ++i) ASSERT_TRUE(bus->send("t1", StatusAck{"job-1", 1, i}));
    for (std::uint64_t i = 1; i <= 500; ++i) {
        const auto got = at_first_.next();
        ASSERT_TRUE(got);
        ASSERT_EQ(std::get<StatusAck>(got->second).seq, i);
    }
}

TEST_F(Bus, AMessageToNobodyIsLostWithoutHarm) {
    const auto bus = router();
    const auto first = dealer("t1", at_first_);
    ASSERT_TRUE(say_until_heard(*first, "first"));
    ASSERT_TRUE(bus->send("nobody", Goodbye{"x"}));
    ASSERT_TRUE(bus->send("t1", Goodbye{"y"}));
    EXPECT_TRUE(at_first_.next());
}

TEST_F(Bus, GarbageIsDroppedAndWhatFollowsIsHeard) {
    const auto bus = router();
    zmq::context_t context;
    zmq::socket_t raw(context, zmq::socket_type::dealer);
    raw.set(zmq::sockopt::linger, 0);
    raw.set(zmq::sockopt::routing_id, "raw");
    raw.connect(endpoint_);
    const auto send = [&](const std::string& bytes, bool more) {
        ASSERT_TRUE(raw.send(zmq::buffer(bytes), more ? zmq::send_flags::sndmore : zmq::send_flags::none));
    };
    send("", false);
    send("garbage", false);
    send(std::string(10'000, '\xff'), false);
    send(encode(Goodbye{"several"}), true);
    send("frames", false);
    send("and", true);
    send("more", true);
    send("frames", false);
    send(encode(Goodbye{"after"}), false);
    const auto heard = at_router_.next();
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->first, "raw");
    EXPECT_EQ(std::get<Goodbye>(heard->second).boot_id, "after");
}

TEST_F(Bus, DealersFindARouterThatStartedAnew) {
    auto bus = router();
    const auto first = dealer("t1", at_first_);
    ASSERT_TRUE(say_until_heard(*first, "before"));
    bus->stop();
    bus.reset();
    bus = router(endpoint_);
    ASSERT_TRUE(say_until_heard(*first, "after"));
    ASSERT_TRUE(bus->send("t1", Goodbye{"welcome"}));
    EXPECT_TRUE(at_first_.next());
}

TEST_F(Bus, ATargetThatCameBackTakesItsIdOver) {
    const auto bus = router();
    auto first = dealer("t1", at_first_);
    ASSERT_TRUE(say_until_heard(*first, "before"));
    const auto again = dealer("t1", at_second_);  // the old connection still stands
    ASSERT_TRUE(say_until_heard(*again, "after"));
    ASSERT_TRUE(bus->send("t1", Goodbye{"you"}));
    EXPECT_TRUE(at_second_.next());
}

TEST_F(Bus, ABusyPortSaysWhatToDo) {
    const auto bus = router();
    RouterBus other(loop_.executor(), [](const std::string&, const Message&) {});
    const auto bound = other.bind(endpoint_);
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code, Code::unavailable);
    EXPECT_NE(bound.error().context.find("choose another port"), std::string::npos) << bound.error().context;
}

TEST_F(Bus, BadEndpointsAreErrors) {
    RouterBus bus(loop_.executor(), [](const std::string&, const Message&) {});
    EXPECT_FALSE(bus.bind("nonsense"));
    DealerBus other(loop_.executor(), [](const Message&) {});
    EXPECT_FALSE(other.connect("tcp://", "t1"));
}

TEST_F(Bus, StopCanBeCalledTwiceAndWithoutAStart) {
    RouterBus bus(loop_.executor(), [](const std::string&, const Message&) {});
    bus.stop();
    const auto bound = router();
    bound->stop();
    bound->stop();
}

TEST_F(Bus, ProcessesOfOneIdAreToldApart) {
    const auto bus = router();
    const auto first = dealer(route_of("t1", "b1"), at_first_);
    const auto second = dealer(route_of("t1", "b2"), at_second_);
    const auto heard_first = say_until_heard(*first, "b1");
    const auto heard_second = say_until_heard(*second, "b2");
    ASSERT_TRUE(heard_first && heard_second);
    EXPECT_EQ(target_of(heard_first->first), "t1");
    EXPECT_EQ(target_of(heard_second->first), "t1");
    EXPECT_EQ(target_of("t1"), "t1") << "of a Millrace from before";
    ASSERT_TRUE(bus->send(heard_first->first, Goodbye{"to the first"}));
    const auto answer = at_first_.next();
    ASSERT_TRUE(answer);
    EXPECT_EQ(std::get<Goodbye>(answer->second).boot_id, "to the first") << "the second did not take its connection over";
}

TEST_F(Bus, WhatTheOwnerDoesNotTakeWaitsWithThePeers) {
    const auto bus = router();
    const auto sender = dealer("t1", at_first_);
    ASSERT_TRUE(say_until_heard(*sender, "hello"));
    std::promise<void> go_on;
    loop_.post([waits = go_on.get_future().share()] { waits.wait(); });
    constexpr std::size_t kMessages = kUntakenMessagesMax + 2000;
    for (std::size_t i = 0; i < kMessages; ++i) ASSERT_TRUE(sender->send(Goodbye{"b" + std::to_string(i)}));
    go_on.set_value();
    for (std::size_t i = 0; i < kMessages; ++i) {
        auto heard = at_router_.next();
        ASSERT_TRUE(heard) << i;
        while (std::get<Goodbye>(heard->second).boot_id == "hello") heard = at_router_.next();
        ASSERT_EQ(std::get<Goodbye>(heard->second).boot_id, "b" + std::to_string(i)) << "all of them, in order";
    }
}

}  // namespace
}  // namespace millrace::wire
