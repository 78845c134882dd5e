// Objects through WebSockets, with tests/support/ws_server.py at the other end.
#include <gmock/gmock.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <set>

#include "fixture.h"
#include "runtime/communicator.h"
#include "core/waiting_line.h"

namespace millrace::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kClosed = "the connection was closed before its answer";

class WsTest : public InstanceTest {
protected:
    static TransformSpec ws_spec() {
        TransformSpec spec;
        spec.name = "a-server";
        spec.kind = Kind::process;
        spec.communication = spec::Communication::ws;
        spec.direct_put = true;
        spec.argv = {"/usr/bin/python3", "-S", MILLRACE_WS_SERVER};
        spec.init_timeout_ms = milliseconds(20'000);
        return spec;
    }
    void serve(const TransformSpec& spec) {
        InstanceEnvironment environment{control_.executor(), {lane_.executor(), other_lane_.executor()}, dir_.path() + "/instance"};
        environment.direct_puts = puts_;
        instance_ = make_instance(spec, environment);
        const Result<void> started = run_blocking(control_, instance_->start());
        ASSERT_TRUE(started.has_value()) << started.error().context;
    }
    void serve() { serve(ws_spec()); }

    struct Flight {
        Flight(const ObjectRun& run, const std::string& input) : object(run), content(input), source(content) {}
        ObjectRun object;
        std::string content;
        MemorySource source;
        MemorySink sink{64 << 20};
        RunResult result;
        Outcome outcome() { return {result, sink.bytes()}; }
    };
    Task<void> fly(Flight& flight) { flight.result = co_await instance_->run(0, flight.object, flight.source, flight.sink); }
    Task<void> fly_all(std::deque<Flight>& flights) {
        TaskGroup tasks(lane_.executor());
        for (Flight& flight : flights) tasks.spawn(fly(flight));
        co_await tasks.join();
    }
    // All at once, in this order.
    std::vector<Outcome> run_all(const std::vector<std::string>& inputs) {
        std::deque<Flight> flights;
        for (const std::string& input : inputs) flights.emplace_back(object(), input);
        run_blocking(lane_, fly_all(flights));
        std::vector<Outcome> outcomes;
        for (Flight& flight : flights) outcomes.push_back(flight.outcome());
        return outcomes;
    }
    bool is_hanging(const std::string& lines = "hanging\n") const { return instance_->log_tail().find(lines) != std::string::npos; }

    // Runs an object that is answered with `text` once `meanwhile` has been called with the control message that came with it.
    Outcome run_with_put(const std::string& text, const std::function<void(const nlohmann::json&)>& meanwhile, std::size_t sink_max = 1 << 20) {
        const std::string file = dir_.path() + "/control-" + std::to_string(++controls_);
        const std::string input = "after " + file + ' ' + text;
        ObjectRun one = object();
        one.destination = "results/clip 7.wav";
        MemorySource source(input);
        MemorySink sink(sink_max);
        auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
        EXPECT_TRUE(eventually([&] { return std::filesystem::exists(file); }));
        std::ifstream in(file);
        meanwhile(nlohmann::json::parse(in));
        dir_.file("control-" + std::to_string(controls_) + ".go", "");
        RunResult result = running.get();
        return {std::move(result), sink.bytes()};
    }
    Result<std::uint64_t> deliver(const nlohmann::json& control, Source& body) {
        const std::string url = control.at("pipeline");
        return run_blocking(other_lane_, puts_->deliver(url.substr(url.find("uuid=") + 5), body));
    }
    Result<std::uint64_t> deliver(const nlohmann::json& control, const std::string& text) {
        MemorySource body(text);
        return deliver(control, body);
    }

    const std::shared_ptr<DirectPuts> puts_ = std::make_shared<DirectPuts>();
    int controls_ = 0;
};

TEST_F(WsTest, ObjectsComeBackTransformed) {
    serve();
    const Outcome outcome = run("hello");
    EXPECT_EQ(outcome.output, "HELLO") << outcome.text();
    EXPECT_EQ(outcome.result->bytes_in, 5u);
    EXPECT_EQ(outcome.result->bytes_out, 5u);
    EXPECT_EQ(run("").output, "");
    EXPECT_TRUE(run("").ok());
}

TEST_F(WsTest, WorksOverTcp) {
    TransformSpec spec = ws_spec();
    spec.listen = Listen::tcp;
    serve(spec);
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(WsTest, LargeObjectsPassInPieces) {
    serve();
    PatternSource source(5 << 20);
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(result->bytes_in, 5u << 20);
    EXPECT_EQ(sink.size, 5u << 20);
    EXPECT_LE(sink.piece_max, kBodyChunkBytes);
    Checksum expected;
    std::vector<std::byte> upper(5 << 20);
    for (std::size_t i = 0; i < upper.size(); ++i) upper[i] = static_cast<std::byte>(std::toupper(static_cast<int>(PatternSource::at(i))));
    expected.update(upper);
    EXPECT_EQ(sink.checksum(), expected.value());
}

TEST_F(WsTest, FragmentedAnswersWithPingsInBetween) {
    serve();
    EXPECT_EQ(run("big 1000000").output, std::string(1'000'000, 'b'));
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(WsTest, ControlMessageSaysWhatAIStoreSays) {
    serve();
    const auto control = nlohmann::json::parse(run("control", "a=1&b").output);
    EXPECT_EQ(control, nlohmann::json::parse(R"({"path": "a/clip 7.wav", "etl_args": "a=1&b"})"));
    const std::string file = dir_.file("a file+%.txt", "from the file");
    ObjectRun one = object();
    one.file_path = file;
    MemorySource source("in the body");
    MemorySink sink(1000);
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.bytes(), "FROM THE FILE");
    EXPECT_EQ(result->bytes_in, 11u);
    std::ofstream(file) << "control";
    MemorySink second(1000);
    ASSERT_TRUE(run(one, source, second).has_value());
    EXPECT_THAT(second.bytes(), HasSubstr("a%20file+%25.txt\""));
    EXPECT_THAT(second.bytes(), Not(HasSubstr("pipeline")));
}

TEST_F(WsTest, ManyObjectsShareTwoConnectionsAndNoneGetsAnothersResult) {
    serve();
    std::vector<std::string> inputs;
    for (int i = 0; i < 200; ++i) inputs.push_back("object " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 100, 'x'));
    const std::vector<Outcome> outcomes = run_all(inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        std::string expected = inputs[i];
        std::ranges::transform(expected, expected.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
        ASSERT_EQ(outcomes[i].output, expected) << i << ": " << outcomes[i].text();
    }
    std::set<std::string> connections;
    for (const Outcome& outcome : run_all(std::vector<std::string>(40, "number"))) connections.insert(outcome.output);
    EXPECT_THAT(connections, ElementsAre("0", "1"));
}

TEST_F(WsTest, ObjectsAreSentAheadOfTheAnswersBeforeThem) {
    serve();
    const std::vector<Outcome> outcomes = run_all({"gather 4", "gather 4", "a", "b", "c", "d", "e", "f"});
    std::vector<std::string> places;
    for (const Outcome& outcome : outcomes) places.push_back(outcome.output);
    EXPECT_THAT(places, ElementsAre("0", "0", "1", "1", "2", "2", "3", "3"));
}

TEST_F(WsTest, ObjectsWaitForRoomAndGiveUpAtTheirDeadline) {
    TransformSpec spec = ws_spec();
    spec.batch_objects_max = 1;
    serve(spec);
    timeout_ = std::chrono::milliseconds(400);
    // Each has a connection of its own but for the last, whose time passes before the others have used up theirs.
    std::deque<Flight> flights;
    for (const char* input : {"hang", "hang", "hello"}) flights.emplace_back(object(), input);
    flights.back().object.deadline -= std::chrono::milliseconds(300);
    run_blocking(lane_, fly_all(flights));
    EXPECT_EQ(flights[0].outcome().code(), Code::timed_out);
    EXPECT_EQ(flights[1].outcome().code(), Code::timed_out);
    EXPECT_EQ(flights[2].outcome().code(), Code::unavailable);
    EXPECT_THAT(flights[2].outcome().text(), HasSubstr("full"));
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(WsTest, TextsAreErrorsUnlessTheDirectPutCame) {
    serve();
    EXPECT_EQ(run("text Transform error: no such codec\n").code(), Code::rejected);
    EXPECT_EQ(run("text Transform error: no such codec\n").text(), "Transform error: no such codec");
    EXPECT_EQ(run("text Invalid pipeline header: ,").code(), Code::rejected);
    EXPECT_EQ(run("text ").text(), "answered with an empty text");
    EXPECT_EQ(run("text " + std::string(100'000, 'x')).code(), Code::rejected);
    for (const std::string text : {"direct put success", "0", "1234"}) {
        EXPECT_EQ(run("text " + text).code(), Code::transient) << text;
        EXPECT_EQ(run("text " + text).text(), "answered '" + text + "', as after a direct put, but nothing was delivered");
    }
    EXPECT_EQ(run("number").output, "0");
}

TEST_F(WsTest, DirectPutIsTheResultWhateverTheTextSays) {
    serve();
    for (const std::string text : {"9", "0", "direct put success", "bytes"}) {
        const Outcome outcome = run_with_put(text, [&](const nlohmann::json& control) {
            EXPECT_THAT(control.at("pipeline"), StartsWith("http://127.0.0.1:8001/ais%2F@%23%2Fresults%2Fclip%207.wav?"));
            EXPECT_TRUE(deliver(control, "delivered").has_value());
        });
        ASSERT_TRUE(outcome.ok()) << text << ": " << outcome.text();
        EXPECT_EQ(outcome.output, "delivered") << text;
        EXPECT_EQ(outcome.result->bytes_out, 9u);
    }
}

TEST_F(WsTest, DirectPutThatDidNotComeWholeIsNoResult) {
    serve();
    const auto nothing = [](const nlohmann::json&) {};
    EXPECT_EQ(run_with_put("0", nothing).code(), Code::transient);
    EXPECT_EQ(run_with_put("Transform error: oh", nothing).code(), Code::rejected);
    EXPECT_EQ(run_with_put("bytes", nothing).output, "bytes");
    const auto breaks_off = [this](const nlohmann::json& control) {
        PatternSource body(1000);
        body.fails_at = 1;
        body.ends_at = 1000;
        EXPECT_FALSE(deliver(control, body).has_value());
    };
    EXPECT_EQ(run_with_put("bytes", breaks_off).code(), Code::transient);
    EXPECT_EQ(run_with_put("1000", breaks_off).code(), Code::transient);
    const auto too_large = [this](const nlohmann::json& control) { EXPECT_FALSE(deliver(control, std::string(200, 'x')).has_value()); };
    const Outcome outcome = run_with_put("0", too_large, 100);
    EXPECT_EQ(outcome.blame(), Blame::sink);
    EXPECT_EQ(outcome.code(), Code::too_large);
}

TEST_F(WsTest, NobodyIsToldOfADirectPutThatTheTransformDoesNotDo) {
    TransformSpec spec = ws_spec();
    spec.direct_put = false;
    serve(spec);
    const Outcome outcome = run_with_put("bytes", [](const nlohmann::json& control) { EXPECT_FALSE(control.contains("pipeline")); });
    EXPECT_EQ(outcome.output, "bytes");
}

TEST_F(WsTest, LaterStagesGoByHttp) {
    serve();
    ObjectRun one = object();
    one.is_stored = false;
    MemorySource source("hello");
    MemorySink sink(1000);
    ASSERT_TRUE(run(one, source, sink).has_value());
    EXPECT_EQ(sink.bytes(), "/sounds/a/clip%207.wav");
}

TEST_F(WsTest, ClosedConnectionMakesSuspectsOfAllThatWereOnIt) {
    serve();
    const std::vector<Outcome> outcomes = run_all({"gather 2 cut", "gather 2 cut", "a", "b"});
    for (const Outcome& outcome : outcomes) {
        EXPECT_EQ(outcome.code(), Code::crashed);
        EXPECT_EQ(outcome.text(), kClosed);
    }
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
    EXPECT_EQ(run_isolated("cut").code(), Code::crashed);
    EXPECT_EQ(run_isolated("hello").output, "HELLO");
}

TEST_F(WsTest, FarewellSaysWhatBecomesOfTheObject) {
    serve();
    const auto expect = [&](const std::string& farewell, Code code, const std::string& text) {
        const Outcome outcome = run("close " + farewell);
        EXPECT_EQ(outcome.code(), code) << farewell;
        EXPECT_EQ(outcome.text(), text) << farewell;
    };
    expect("1009 more than I take", Code::rejected, "closed with code 1009 (message too big): more than I take");
    expect("1003", Code::rejected, "closed with code 1003 (unsupported data)");
    expect("1013 busy", Code::transient, "closed with code 1013 (try again later): busy");
    expect("1011 oh", Code::transient, "closed with code 1011 (internal error): oh");
    expect("4000 own words", Code::crashed, "closed with code 4000: own words, before its answer");
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
}

TEST_F(WsTest, ServerThatEndsConnectionsInOrderIsAskedAgain) {
    serve();
    const std::vector<Outcome> outcomes = run_all({"close", "close", "a", "b"});
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_EQ(outcomes[i].code(), Code::crashed) << "it never answers";
        EXPECT_EQ(outcomes[i].text(), "closed with code 1000 (normal), before its answer");
    }
    EXPECT_EQ(outcomes[2].output, "A");
    EXPECT_EQ(outcomes[3].output, "B");
}

TEST_F(WsTest, BrokenProtocolIsTransientForTheObjectWhoseTurnItWas) {
    serve();
    const std::vector<Outcome> outcomes = run_all({"gather 2 garbage", "gather 1 garbage", "a"});
    EXPECT_EQ(outcomes[0].code(), Code::transient);
    EXPECT_THAT(outcomes[0].text(), StartsWith("it broke the WebSocket protocol"));
    EXPECT_EQ(outcomes[2].code(), Code::crashed);
    EXPECT_EQ(outcomes[2].text(), kClosed);
}

TEST_F(WsTest, ConnectionWithAnAnswerTooManyIsNotUsedAgain) {
    serve();
    EXPECT_EQ(run("twice").output, "once");
    EXPECT_EQ(run("number").output, "1");
}

TEST_F(WsTest, TimeCountsFromAnObjectsTurn) {
    serve();
    timeout_ = std::chrono::milliseconds(500);
    const std::vector<Outcome> outcomes = run_all({"hang", "hang", "a", "b", "c"});
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_EQ(outcomes[i].code(), Code::timed_out);
        EXPECT_THAT(outcomes[i].text(), StartsWith("timeout: no result within "));
    }
    for (const std::size_t i : {2u, 3u, 4u}) {
        EXPECT_EQ(outcomes[i].code(), Code::crashed);
        EXPECT_EQ(outcomes[i].text(), kClosed);
    }
    timeout_ = std::chrono::seconds(20);
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(WsTest, DeathIsToldToAllThatWereOn) {
    serve();
    run_all({"gather 1", "gather 1"});  // both connections are there
    for (const Outcome& outcome : run_all({"gather 2 die", "hang", "a"})) {
        EXPECT_EQ(outcome.code(), Code::crashed);
        EXPECT_THAT(outcome.text(), StartsWith("killed by SIGABRT"));
    }
    EXPECT_TRUE(eventually([&] { return instance_->status().restarts == 1 && instance_->status().state == InstanceState::running; }));
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(run("die").text(), "killed by SIGABRT");
}

TEST_F(WsTest, SourceFailureIsItsOwn) {
    serve();
    for (const bool is_short : {false, true}) {
        PatternSource source(4 << 20);
        (is_short ? source.ends_at : source.fails_at) = 1 << 20;
        ChecksumSink sink;
        const ObjectRun one = object();
        const RunResult result = run(one, source, sink);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().blame, Blame::source);
        EXPECT_EQ(result.error().error.code, is_short ? Code::incomplete_body : Code::corrupt);
        EXPECT_EQ(run("hello").output, "HELLO");
    }
}

TEST_F(WsTest, SourceThatBlocksDoesNotOutliveTheObjectsTime) {
    serve();
    timeout_ = std::chrono::milliseconds(300);
    PatternSource source(4 << 20);
    source.blocks_at = 1 << 20;
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::timed_out) << result.error().error.context;
}

TEST_F(WsTest, SinkFailureLeavesTheConnectionInOrder) {
    serve();
    MemorySource source("big 3000000");
    ChecksumSink sink;
    sink.fails_after = 200'000;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().blame, Blame::sink);
    EXPECT_EQ(result.error().error.code, Code::no_space);
    EXPECT_EQ(run("number").output, "0");
}

TEST_F(WsTest, CancelledRunEndsAndOthersBehindItGoByAnotherConnection) {
    serve();
    std::deque<Flight> flights;
    for (const char* input : {"hang", "hang", "a"}) flights.emplace_back(object(), input);
    const auto cancelled = [&]() -> Task<void> {
        TaskGroup first(lane_.executor());
        TaskGroup others(lane_.executor());
        first.spawn(fly(flights[0]));
        others.spawn(fly(flights[1]));
        others.spawn(fly(flights[2]));
        while (!is_hanging("hanging\nhanging\n")) co_await sleep_for(milliseconds(2));
        first.cancel();
        co_await first.join();
        for (const Instant until = steady_now() + std::chrono::seconds(10); flights[2].sink.bytes().empty() && steady_now() < until;) {
            co_await sleep_for(milliseconds(2));
        }
        others.cancel();
        co_await others.join();
    };
    run_blocking(lane_, cancelled());
    EXPECT_EQ(flights[0].outcome().code(), Code::cancelled);
    EXPECT_EQ(flights[1].outcome().code(), Code::cancelled);
    EXPECT_TRUE(flights[2].outcome().ok()) << flights[2].outcome().text();
    EXPECT_EQ(flights[2].sink.bytes(), "A");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(WsTest, StopEndsWhatIsUnderWay) {
    serve();
    MemorySource source("hang");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto hanging = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return is_hanging(); }));
    run_blocking(control_, instance_->stop());
    const RunResult result = hanging.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::unavailable);
}

TEST_F(WsTest, ServerWithoutWebSocketsIsTold) {
    TransformSpec spec = ws_spec();
    spec.env["WS_REFUSE"] = "404";
    serve(spec);
    EXPECT_EQ(run("hello").code(), Code::rejected);
    EXPECT_EQ(run("hello").text(), "answered 404 where a WebSocket was asked for, at /ws");
}

// Without a server.
class WsConnect : public ::testing::Test {
protected:
    WsConnect() : facts_(std::make_shared<ServerFacts>(http::Endpoint{.unix_path = dir_.path() + "/nobody"})) {
        TransformSpec spec;
        spec.communication = spec::Communication::ws;
        communicator_ = make_communicator(spec, {lane_.executor(), nullptr}, facts_);
    }
    ~WsConnect() override { run_blocking(lane_, communicator_->close()); }
    Outcome run() {
        MemorySource source("hello");
        MemorySink sink(100);
        const ObjectRun one{"sounds", "clip", "", steady_now() + std::chrono::seconds(5)};
        return {run_blocking(lane_, communicator_->run(one, source, sink)), sink.bytes()};
    }
    TempDir dir_;
    Loop lane_{"lane"};
    std::shared_ptr<ServerFacts> facts_;
    std::shared_ptr<Communicator> communicator_;
};

TEST_F(WsConnect, ServerThatDoesNotListenMayComeBack) {
    EXPECT_EQ(run().code(), Code::transient);
    EXPECT_THAT(run().text(), StartsWith("cannot connect to unix:"));
}

TEST_F(WsConnect, ServerThatDiedBeforeItSawTheObjectDoesNotBlameIt) {
    facts_->set_death("killed by SIGKILL");
    EXPECT_EQ(run().code(), Code::unavailable);
    EXPECT_EQ(run().text(), "killed by SIGKILL");
}

TEST_F(WsConnect, NothingRunsOnceClosed) {
    run_blocking(lane_, communicator_->close());
    EXPECT_EQ(run().code(), Code::unavailable);
}

TEST(WaitingLine, ServesInOrderOfArrival) {
    Loop loop("line");
    WaitingLine line(loop.executor());
    int free = 0;
    std::vector<int> order;
    const auto is_free = [&] { return free > 0; };
    const auto take = [&](int who) -> Task<void> {
        const bool taken = co_await line.wait(is_free, steady_now() + std::chrono::seconds(10));
        if (taken) --free;
        if (taken) order.push_back(who);
    };
    const auto all = [&]() -> Task<void> {
        TaskGroup tasks(loop.executor());
        for (const int who : {1, 2, 3}) tasks.spawn(take(who));
        co_await sleep_for(milliseconds(1));
        free = 2;
        line.look_again();
        tasks.spawn(take(4));
        while (order.size() < 2) co_await sleep_for(milliseconds(1));
        free = 2;
        line.look_again();
        co_await tasks.join();
        const bool in_time = co_await line.wait(is_free, steady_now() + milliseconds(1));
        EXPECT_FALSE(in_time);
    };
    run_blocking(loop, all());
    EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
}

}  // namespace
}  // namespace millrace::runtime
