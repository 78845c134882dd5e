// The control plane's sockets under CURVE: who is let in, and for whom each may speak.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <zmq.hpp>

#include "core/file.h"
#include "core/loop.h"
#include "wire/bus.h"

namespace millrace::wire {
namespace {

constexpr auto kLongWait = std::chrono::seconds(20);  // a test that waits this long has failed

// What came, to be waited for by the test's thread.
template <class T>
class Came {
public:
    void add(T item) {
        {
            const std::lock_guard lock(mutex_);
            items_.push_back(std::move(item));
        }
        changed_.notify_all();
    }
    std::optional<T> next(Duration patience = kLongWait) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return !items_.empty(); })) return std::nullopt;
        T first = std::move(items_.front());
        items_.pop_front();
        return first;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<T> items_;
};

class PrivateBus : public testing::Test {
protected:
    struct Node {
        NodeKey key;
        Came<std::string> heard;
        Came<std::string> refused;
        std::unique_ptr<DealerBus> bus;
    };

    PrivateBus() {
        char pattern[] = "/tmp/millrace-keys-XXXXXX";
        folder_ = ::mkdtemp(pattern);
    }
    ~PrivateBus() override { std::filesystem::remove_all(folder_); }

    NodeKey fresh_key(const std::string& name) {
        EXPECT_TRUE(make_folder(folder_ + "/" + name));
        return open_node_key(folder_ + "/" + name).value();
    }

    std::unique_ptr<RouterBus> router() {
        proxy_key_ = fresh_key("proxy");
        auto made = std::make_unique<RouterBus>(loop_.executor(), [this](const std::string& route, Message message) {
            at_router_.add({route, std::get<Goodbye>(message).boot_id});
        });
        EXPECT_TRUE(made->protect(proxy_key_, allowed_));
        const auto bound = made->bind("tcp://127.0.0.1:0");
        EXPECT_TRUE(bound);
        if (bound) endpoint_ = *bound;
        return made;
    }

    // proxy_key "": a plain connection.
    std::unique_ptr<Node> node(const std::string& claims, const NodeKey& key, const std::string& proxy_key) {
        auto made = std::make_unique<Node>();
        Node* const raw = made.get();
        made->key = key;
        made->bus = std::make_unique<DealerBus>(loop_.executor(), [raw](Message message) { raw->heard.add(std::get<Goodbye>(message).boot_id); });
        made->bus->on_refused([raw](std::string reason) { raw->refused.add(std::move(reason)); });
        if (!proxy_key.empty()) EXPECT_TRUE(made->bus->protect(key, proxy_key));
        EXPECT_TRUE(made->bus->connect(endpoint_, route_of(claims, "b-1")));
        return made;
    }

    // The route under which it was heard.
    std::optional<std::string> say_until_heard(DealerBus& from, const std::string& words) {
        const Instant deadline = steady_now() + kLongWait;
        while (steady_now() < deadline) {
            EXPECT_TRUE(from.send(Goodbye{words}));
            const auto heard = at_router_.next(milliseconds(20));
            if (heard && heard->second == words) return heard->first;
        }
        return std::nullopt;
    }

    std::string folder_;
    std::string endpoint_;
    NodeKey proxy_key_;
    std::shared_ptr<AllowedKeys> allowed_ = std::make_shared<AllowedKeys>();
    Came<std::pair<std::string, std::string>> at_router_;
    Loop loop_{"bus-test"};
};

TEST_F(PrivateBus, ANodeOfTheListIsHeardAndAnswered) {
    const auto bus = router();
    const NodeKey key = fresh_key("t1");
    allowed_->set({{"t1", key.public_key}});
    const auto first = node("t1", key, proxy_key_.public_key);
    const auto route = say_until_heard(*first->bus, "hello");
    ASSERT_TRUE(route);
    EXPECT_EQ(target_of(*route), "t1");
    ASSERT_TRUE(bus->send(*route, Goodbye{"welcome"}));
    EXPECT_EQ(first->heard.next(), "welcome");
    EXPECT_TRUE(bus->is_private());
    EXPECT_TRUE(first->bus->is_private());
}

TEST_F(PrivateBus, AKeyThatIsNotOnTheListIsToldWhatToDo) {
    const auto bus = router();
    const auto stranger = node("t1", fresh_key("t1"), proxy_key_.public_key);
    ASSERT_TRUE(stranger->bus->send(Goodbye{"hello"}));
    const auto reason = stranger->refused.next();
    ASSERT_TRUE(reason);
    EXPECT_NE(reason->find("does not allow this node's key"), std::string::npos) << *reason;
    EXPECT_NE(reason->find("millrace cluster invite"), std::string::npos) << *reason;
    EXPECT_FALSE(at_router_.next(milliseconds(0)));
}

TEST_F(PrivateBus, ANodeThatComesToBeAllowedIsHeardOnceItConnectsAnew) {
    const auto bus = router();
    const NodeKey key = fresh_key("t1");
    const auto early = node("t1", key, proxy_key_.public_key);
    ASSERT_TRUE(early->refused.next());
    allowed_->set({{"t1", key.public_key}});
    const auto again = node("t1", key, proxy_key_.public_key);
    EXPECT_TRUE(say_until_heard(*again->bus, "hello"));
}

TEST_F(PrivateBus, APlainPeerIsRefusedAndToldWhy) {
    const auto bus = router();
    const auto plain = node("t1", {}, "");
    const auto reason = plain->refused.next();
    ASSERT_TRUE(reason);
    EXPECT_NE(reason->find("secure_control: true"), std::string::npos) << *reason;
    EXPECT_FALSE(plain->bus->is_private());
    EXPECT_FALSE(at_router_.next(milliseconds(0)));
}

TEST_F(PrivateBus, AProxyWithAnotherKeyIsNotBelieved) {
    const auto bus = router();
    const NodeKey key = fresh_key("t1");
    allowed_->set({{"t1", key.public_key}});
    const auto lost = node("t1", key, fresh_key("another-proxy").public_key);
    const auto honest = node("t1", key, proxy_key_.public_key);
    ASSERT_TRUE(lost->bus->send(Goodbye{"to another"}));
    ASSERT_TRUE(say_until_heard(*honest->bus, "hello")) << "nothing of the other came before";
}

TEST_F(PrivateBus, ANodeDoesNotSpeakInTheNameOfAnother) {
    const auto bus = router();
    const NodeKey first_key = fresh_key("t1");
    const NodeKey second_key = fresh_key("t2");
    allowed_->set({{"t1", first_key.public_key}, {"t2", second_key.public_key}});
    const auto first = node("t1", first_key, proxy_key_.public_key);
    const auto impostor = node("t1", second_key, proxy_key_.public_key);
    const auto second = node("t2", second_key, proxy_key_.public_key);
    const auto route = say_until_heard(*first->bus, "first");
    ASSERT_TRUE(route);
    ASSERT_TRUE(say_until_heard(*second->bus, "second"));
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(impostor->bus->send(Goodbye{"impostor"}));
        const auto heard = at_router_.next(milliseconds(5));
        EXPECT_FALSE(heard && heard->second == "impostor");
    }
    ASSERT_TRUE(bus->send(*route, Goodbye{"for the first"}));
    EXPECT_EQ(first->heard.next(), "for the first") << "its route was not taken over by who claims its id";
    EXPECT_FALSE(impostor->heard.next(milliseconds(0)));
}

TEST_F(PrivateBus, AKeyThatIsTakenOffIsNeitherHeardNorToldAnyMore) {
    const auto bus = router();
    const NodeKey first_key = fresh_key("t1");
    const NodeKey second_key = fresh_key("t2");
    allowed_->set({{"t1", first_key.public_key}, {"t2", second_key.public_key}});
    const auto first = node("t1", first_key, proxy_key_.public_key);
    const auto second = node("t2", second_key, proxy_key_.public_key);
    const auto first_route = say_until_heard(*first->bus, "first");
    const auto second_route = say_until_heard(*second->bus, "second");
    ASSERT_TRUE(first_route && second_route);
    ASSERT_TRUE(bus->send(*first_route, Goodbye{"while it is allowed"}));
    ASSERT_EQ(first->heard.next(), "while it is allowed");

    allowed_->set({{"t2", second_key.public_key}});
    ASSERT_TRUE(first->bus->send(Goodbye{"after"}));
    ASSERT_TRUE(bus->send(*first_route, Goodbye{"secret"}));
    ASSERT_TRUE(bus->send(*second_route, Goodbye{"go on"}));
    EXPECT_EQ(second->heard.next(), "go on");
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(second->bus->send(Goodbye{"second"}));
        const auto heard = at_router_.next();
        ASSERT_TRUE(heard);
        EXPECT_EQ(heard->second, "second");
    }
    EXPECT_FALSE(first->heard.next(milliseconds(0)));
}

TEST_F(PrivateBus, AKeyStaysWithItsFolderAndIsForItsUserAlone) {
    const NodeKey made = fresh_key("t1");
    EXPECT_TRUE(is_node_key(made.public_key));
    const auto again = open_node_key(folder_ + "/t1");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->public_key, made.public_key);
    EXPECT_EQ(again->secret_key, made.secret_key);
    EXPECT_EQ(read_file(folder_ + "/t1/node_key.pub").value(), made.public_key + "\n");
    struct stat status {};
    ASSERT_EQ(::stat((folder_ + "/t1/node_key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_NE(fresh_key("t2").public_key, made.public_key);
}

TEST_F(PrivateBus, AFileThatHoldsNoKeyIsNotReplaced) {
    ASSERT_TRUE(make_folder(folder_ + "/t1"));
    ASSERT_TRUE(write_file(folder_ + "/t1/node_key", "half a k"));
    const auto opened = open_node_key(folder_ + "/t1");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::corrupt);
    EXPECT_EQ(read_file(folder_ + "/t1/node_key").value(), "half a k");
}

TEST(NodeKeyText, OnlyFortyCharactersOfItsAlphabetAreAKey) {
    EXPECT_TRUE(is_node_key(std::string(40, '0')));
    EXPECT_FALSE(is_node_key(std::string(39, '0')));
    EXPECT_FALSE(is_node_key(std::string(41, '0')));
    EXPECT_FALSE(is_node_key(std::string(39, '0') + "\""));
    EXPECT_FALSE(is_node_key(""));
    EXPECT_EQ(fingerprint("a"), "ca97:8112:ca1b:bdca") << "SHA-256 of FIPS 180";
}

}  // namespace
}  // namespace millrace::wire
