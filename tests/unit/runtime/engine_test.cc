#include "runtime/engine.h"

#include <sys/resource.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/uri.h"
#include "fixture.h"
#include "http/server.h"
#include "runtime/container_output.h"

namespace millrace::runtime {
namespace {

using nlohmann::json;
using ::testing::Test;

struct Canned {
    int status = 200;
    std::string body;
    bool cut = false;    // announces more than it sends
    bool never = false;  // does not answer
};

// An engine that answers what it was told to, by method and path, and remembers what it was asked.
class EngineTest : public Test {
protected:
    EngineTest() { EXPECT_TRUE(server_.listen_unix(socket_)); }
    ~EngineTest() override {
        const auto drop = [this]() -> Task<void> {
            engine_.reset();
            co_return;
        };
        run_blocking(loop_, drop());
        server_.stop(Duration::zero());
    }

    // Runs a call of the engine's on its loop.
    template <class MakeTask>
    auto engine(MakeTask make_task) {
        if (!engine_) engine_ = std::make_unique<Engine>(loop_.executor(), socket_);
        return run_blocking(loop_, make_task(*engine_));
    }

    void answer(const std::string& what, int status, std::string body) { canned_[what] = {status, std::move(body), false, false}; }
    // Once, before what it answers otherwise.
    void stumble(const std::string& what, int status, std::string body) { stumbles_[what] = {status, std::move(body), false, false}; }
    void cut(const std::string& what, int status) { canned_[what] = {status, "half", true, false}; }
    void never_answer(const std::string& what) { canned_[what] = {0, "", false, true}; }
    // All of a stream of the engine's, which ends on the engine's loop too.
    std::string whole(std::unique_ptr<Source> source) {
        MemorySink sink(1 << 20);
        const auto read = [&]() -> Task<Result<std::uint64_t>> {
            const Result<std::uint64_t> moved = co_await pump(*source, sink);
            source.reset();
            co_return moved;
        };
        const Result<std::uint64_t> moved = run_blocking(loop_, read());
        return moved ? sink.bytes() : moved.error().context;
    }
    const json& asked() const { return asked_; }
    const std::string& target() const { return target_; }

    TempDir dir_;
    std::string socket_ = dir_.path() + "/engine.sock";

private:
    Task<void> handle(http::Request& request, http::Response& response) {
        const Result<std::string> body = co_await request.read_all(1 << 20);
        asked_ = json::parse(body.value_or(""), nullptr, false);
        target_ = request.target;
        const std::string what = request.method + ' ' + request.path;
        if (const auto stumble = stumbles_.extract(what); !stumble.empty()) {
            (void)co_await response.send(stumble.mapped().status, {}, stumble.mapped().body);
            co_return;
        }
        const auto found = canned_.find(what);
        const Canned reply = found != canned_.end() ? found->second : Canned{404, R"({"message":"page not found"})", false, false};
        if (reply.never) co_await sleep_for(std::chrono::minutes(5));
        if (reply.cut) {
            const std::span<const std::byte> bytes = as_bytes(reply.body);
            (void)co_await response.start(reply.status, {}, reply.body.size() * 2);
            (void)co_await response.write(bytes);
            co_return;
        }
        (void)co_await response.send(reply.status, {}, reply.body);
    }

    std::map<std::string, Canned> stumbles_;
    std::map<std::string, Canned> canned_;  // both written before the request that reads it
    json asked_;
    std::string target_;
    Loop lane_{"lane"};
    Loop loop_{"engine"};
    http::Server server_{{lane_.executor()}, [this](http::Request& request, http::Response& response) { return handle(request, response); }};
    std::unique_ptr<Engine> engine_;
};

auto pings() {
    return [](Engine& engine) { return engine.ping(); };
}
auto creates(ContainerRequest request) {
    return [request](Engine& engine) { return engine.create(request); };
}
auto starts(std::string id) {
    return [id](Engine& engine) { return engine.start(id); };
}
auto inspects(std::string id) {
    return [id](Engine& engine) { return engine.inspect(id); };
}
auto kills(std::string id) {
    return [id](Engine& engine) { return engine.kill(id, "TERM"); };
}
auto removes(std::string id) {
    return [id](Engine& engine) { return engine.remove(id); };
}
auto lists(std::string label) {
    return [label](Engine& engine) { return engine.list(label); };
}
auto looks_for(std::string image) {
    return [image](Engine& engine) { return engine.image(image); };
}
auto pulls(std::string image) {
    return [image](Engine& engine) { return engine.pull(image, steady_now() + std::chrono::seconds(10)); };
}
auto attaches(std::string id) {
    return [id](Engine& engine) { return engine.attach(id, steady_now() + std::chrono::seconds(10)); };
}

TEST_F(EngineTest, NoEngineSaysWhereItLookedAndWhatToDo) {
    socket_ = dir_.path() + "/nobody.sock";
    const auto version = engine(pings());
    ASSERT_FALSE(version);
    EXPECT_EQ(version.error().code, Code::unavailable);
    EXPECT_NE(version.error().context.find(socket_), std::string::npos) << version.error().context;
    EXPECT_NE(version.error().context.find("No such file"), std::string::npos) << version.error().context;
    EXPECT_NE(version.error().context.find("systemctl start podman.socket"), std::string::npos) << version.error().context;
}

TEST_F(EngineTest, NamesTheEngineOfBothDialects) {
    answer("GET /version", 200, R"({"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]})");
    EXPECT_EQ(engine(pings()).value(), "Podman Engine 4.3.1");
    answer("GET /version", 200, R"({"Version":"20.10.24","ApiVersion":"1.41","Components":[{"Name":"Engine","Version":"20.10.24"}]})");
    EXPECT_EQ(engine(pings()).value(), "Docker Engine 20.10.24");
}

TEST_F(EngineTest, AServerThatIsNoEngineIsNotTakenForOne) {
    for (const char* body : {"<html>", "", "[]", R"({"Version":7})"}) {
        answer("GET /version", 200, body);
        EXPECT_EQ(engine(pings()).error().code, Code::corrupt) << body;
    }
}

TEST_F(EngineTest, AContainerIsHardenedAndHasWhatWasAskedFor) {
    answer("POST /containers/create", 201, R"({"Id":"abc","Warnings":[]})");
    ContainerRequest request;
    request.name = "one two";
    request.image = "localhost/x:1";
    request.argv = {"/bin/serve", "--port", "8000"};
    request.env = {{"A", "1"}, {"B", "x=y"}};
    request.labels = {{"millrace", "t1"}};
    request.user = "1000:1000";
    request.binds = {{"/data/a:b", "/in", true}, {"/sockets", "/run/x", false}};
    request.memory_bytes = 64 << 20;
    request.cpu_millis = 500;
    request.pids_max = 50;
    request.tmpfs_bytes = 1 << 20;
    request.open_files = 100;
    EXPECT_EQ(engine(creates(request)).value(), "abc");
    EXPECT_EQ(target(), "/containers/create?name=one%20two");
    EXPECT_EQ(asked()["Image"], "localhost/x:1");
    EXPECT_EQ(asked()["Entrypoint"], json::parse(R"(["/bin/serve","--port","8000"])"));
    EXPECT_EQ(asked()["Env"], json::parse(R"(["A=1","B=x=y"])"));
    EXPECT_EQ(asked()["Labels"], json::parse(R"({"millrace":"t1"})"));
    EXPECT_EQ(asked()["User"], "1000:1000");
    const json& host = asked()["HostConfig"];
    EXPECT_EQ(host["NetworkMode"], "none");
    EXPECT_EQ(host["ReadonlyRootfs"], true);
    EXPECT_EQ(host["CapDrop"], json::parse(R"(["ALL"])"));
    EXPECT_EQ(host["SecurityOpt"], json::parse(R"(["no-new-privileges"])"));
    EXPECT_EQ(host["LogConfig"]["Type"], "none");
    EXPECT_EQ(host["Memory"], 64 << 20);
    EXPECT_EQ(host["MemorySwap"], 64 << 20);
    EXPECT_EQ(host["NanoCpus"], 500'000'000);
    EXPECT_EQ(host["PidsLimit"], 50);
    EXPECT_EQ(host["Mounts"], json::parse(R"([{"Type":"bind","Source":"/data/a:b","Target":"/in","ReadOnly":true},
                                              {"Type":"bind","Source":"/sockets","Target":"/run/x","ReadOnly":false},
                                              {"Type":"tmpfs","Target":"/tmp","TmpfsOptions":{"SizeBytes":1048576,"Mode":1023}}])"));
    EXPECT_EQ(host["Ulimits"][0], json::parse(R"({"Name":"nofile","Soft":100,"Hard":100})"));
    EXPECT_EQ(host["Ulimits"][1]["Name"], "nproc");
    EXPECT_LE(host["Ulimits"][1]["Hard"], 4096);
}

TEST_F(EngineTest, WithoutLimitsAndArgumentsTheImageDecides) {
    answer("POST /containers/create", 201, R"({"Id":"abc"})");
    ContainerRequest request;
    request.image = "x";
    EXPECT_TRUE(engine(creates(request)));
    EXPECT_EQ(target(), "/containers/create");
    EXPECT_FALSE(asked().contains("Entrypoint"));
    EXPECT_FALSE(asked().contains("User"));
    for (const char* limit : {"Memory", "MemorySwap", "NanoCpus", "PidsLimit"}) EXPECT_FALSE(asked()["HostConfig"].contains(limit)) << limit;
    // No more than we may have ourselves.
    rlimit own{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &own), 0);
    EXPECT_EQ(asked()["HostConfig"]["Ulimits"][0]["Hard"], std::min<std::uint64_t>(16384, own.rlim_max));
}

TEST_F(EngineTest, TextThatIsNotUtf8IsRefusedHere) {
    ContainerRequest request;
    request.image = "x";
    request.argv = {"\xff"};
    EXPECT_EQ(engine(creates(request)).error().code, Code::invalid_argument);
}

TEST_F(EngineTest, ErrorsOfBothDialectsSayWhatWasTriedInTheEnginesWords) {
    ContainerRequest request;
    request.image = "nothere";
    const auto create = [&] { return engine(creates(request)).error(); };
    answer("POST /containers/create", 404, R"({"cause":"image not known","message":"no such image: nothere","response":404})");
    EXPECT_EQ(create().code, Code::not_found);
    EXPECT_EQ(create().context, "creating a container of image nothere: no such image: nothere");
    answer("POST /containers/create", 404, R"({"message":"No such image: nothere:latest"})");
    EXPECT_EQ(create().code, Code::not_found);
    answer("POST /containers/create", 409, R"({"message":"Conflict. The container name \"/a\" is already in use by container \"1\"."})");
    EXPECT_EQ(create().code, Code::already_exists);
    answer("POST /containers/create", 500,
           R"({"cause":"that name is already in use","message":"the container name \"a\" is already in use by 1","response":500})");
    EXPECT_EQ(create().code, Code::already_exists);
    answer("POST /containers/create", 400, R"({"message":"invalid mount config: bind source path does not exist: /nothere"})");
    EXPECT_EQ(create().code, Code::invalid_argument);
    answer("POST /containers/create", 500, "");
    EXPECT_EQ(create().code, Code::transient);
    EXPECT_EQ(create().context, "creating a container of image nothere: status 500");
    answer("POST /containers/create", 502, "a proxy's\npage");
    EXPECT_EQ(create().context, "creating a container of image nothere: a proxy's page");
}

TEST_F(EngineTest, AProgramThatIsMissingFailsTheStart) {
    answer("POST /containers/abc/start", 500, R"({"cause":"command not found","message":"runc: exec: \"/bin/nothere\": no such file","response":500})");
    const auto started = engine(starts("abc"));
    EXPECT_EQ(started.error().code, Code::transient);
    EXPECT_EQ(started.error().context, R"(starting container abc: runc: exec: "/bin/nothere": no such file)");
    answer("POST /containers/abc/attach", 409, R"({"message":"preparing container abc for attach: runc: no such file"})");
    const auto attached = engine(attaches("abc"));
    ASSERT_FALSE(attached);
    EXPECT_EQ(attached.error().context, "attaching to container abc: preparing container abc for attach: runc: no such file");
}

TEST_F(EngineTest, StartOfARunningContainerIsASuccess) {
    answer("POST /containers/abc/start", 304, "");
    EXPECT_TRUE(engine(starts("abc")));
}

TEST_F(EngineTest, StateTellsWhatRunsAndHowItEnded) {
    answer("GET /containers/abc/json", 200, R"({"Id":"abcdef","State":{"Status":"running","Running":true,"Pid":4711,"ExitCode":0,"OOMKilled":false},
        "NetworkSettings":{"IPAddress":"","Networks":{"podman":{"IPAddress":"10.88.0.7"}}}})");
    auto state = engine(inspects("abc")).value();
    EXPECT_EQ(state.id, "abcdef");
    EXPECT_TRUE(state.running);
    EXPECT_EQ(state.pid, 4711);
    EXPECT_EQ(state.address, "10.88.0.7");
    answer("GET /containers/abc/json", 200, R"({"Id":"abcdef","State":{"Running":false,"Pid":4711,"ExitCode":137,"OOMKilled":true,
        "Error":"exec failed"},"NetworkSettings":{"IPAddress":"172.17.0.2","Networks":{"bridge":{"IPAddress":"172.17.0.3"}}}})");
    state = engine(inspects("abc")).value();
    EXPECT_FALSE(state.running);
    EXPECT_EQ(state.pid, 0);
    EXPECT_EQ(state.exit_code, 137);
    EXPECT_TRUE(state.out_of_memory);
    EXPECT_EQ(state.error, "exec failed");
    EXPECT_EQ(state.address, "172.17.0.3");
}

TEST_F(EngineTest, AnEngineThatStumblesOverTheEndOfAContainerIsAskedAgain) {
    const std::string message = R"({"cause":"no such process","message":"read /proc/4711/cgroup: no such process","response":500})";
    stumble("GET /containers/abc/json", 500, message);
    answer("GET /containers/abc/json", 200, R"({"Id":"abcdef","State":{"Running":false,"ExitCode":4}})");
    const auto state = engine(inspects("abc"));
    ASSERT_TRUE(state) << state.error().context;
    EXPECT_EQ(state->exit_code, 4);
    answer("GET /containers/abc/json", 500, message);
    EXPECT_EQ(engine(inspects("abc")).error().context, "asking for container abc: read /proc/4711/cgroup: no such process") << "for ever";
}

TEST_F(EngineTest, AStateThatIsNoneIsAnError) {
    for (const char* body : {"", "{", "null", R"({"Id":"a"})", R"({"State":{}})", R"({"Id":"a","State":[]})"}) {
        answer("GET /containers/abc/json", 200, body);
        EXPECT_EQ(engine(inspects("abc")).error().code, Code::corrupt) << body;
    }
}

TEST_F(EngineTest, KillOfWhatDoesNotRunIsAConflictInBothDialects) {
    answer("POST /containers/abc/kill", 204, "");
    EXPECT_TRUE(engine(kills("abc")));
    EXPECT_EQ(target(), "/containers/abc/kill?signal=TERM");
    answer("POST /containers/abc/kill", 500, R"({"cause":"container state improper","message":"can only kill running containers","response":500})");
    EXPECT_EQ(engine(kills("abc")).error().code, Code::conflict);
    answer("POST /containers/abc/kill", 409, R"({"message":"Cannot kill container: abc: Container abc is not running"})");
    EXPECT_EQ(engine(kills("abc")).error().code, Code::conflict);
}

TEST_F(EngineTest, RemoveOfWhatIsGoneIsASuccess) {
    answer("DELETE /containers/abc", 404, R"({"message":"no container with name or ID \"abc\" found"})");
    EXPECT_TRUE(engine(removes("abc")));
    EXPECT_EQ(target(), "/containers/abc?force=1&v=1");
    answer("DELETE /containers/abc", 500, R"({"message":"device busy"})");
    EXPECT_EQ(engine(removes("abc")).error().context, "removing container abc: device busy");
}

TEST_F(EngineTest, ListAsksForStoppedOnesTooByLabel) {
    answer("GET /containers/json", 200, R"([{"Id":"a","State":"running"},{"Id":"b","State":"exited"}])");
    EXPECT_EQ(engine(lists("millrace.target=t 1")).value(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(percent_decode(target()).value(), R"(/containers/json?all=1&filters={"label":["millrace.target=t 1"]})");
    for (const char* body : {"{}", "[{}]", "[1]"}) {
        answer("GET /containers/json", 200, body);
        EXPECT_EQ(engine(lists("a")).error().code, Code::corrupt) << body;
    }
}

TEST_F(EngineTest, AnImageHasItsUserAndItsCommand) {
    answer("GET /images/registry.example:5000/a/b:1/json", 200, R"({"Id":"sha256:1","Config":{"User":"1000","Entrypoint":["/serve"],"Cmd":["-v"]}})");
    auto image = engine(looks_for("registry.example:5000/a/b:1"));
    ASSERT_FALSE(image) << "the colon must be encoded";
    answer("GET /images/registry.example%3A5000/a/b%3A1/json", 200,
           R"({"Id":"sha256:1","Config":{"User":"1000","Entrypoint":["/serve"],"Cmd":["-v"]}})");
    image = engine(looks_for("registry.example:5000/a/b:1"));
    EXPECT_EQ(image->user, "1000");
    EXPECT_EQ(image->argv, (std::vector<std::string>{"/serve", "-v"}));
    answer("GET /images/none/json", 404, R"({"message":"No such image: none"})");
    EXPECT_EQ(engine(looks_for("none")).error().code, Code::not_found);
    answer("GET /images/none/json", 200, R"({"Id":"sha256:2","Config":{"Entrypoint":null,"Cmd":null}})");
    EXPECT_TRUE(engine(looks_for("none"))->argv.empty());
}

TEST_F(EngineTest, APullFetchesOneVersion) {
    answer("POST /images/create", 200, "{\"status\":\"Pulling\"}\n{\"status\":\"Done\"}\n");
    EXPECT_TRUE(engine(pulls("host:5000/a")));
    EXPECT_EQ(target(), "/images/create?fromImage=host%3A5000%2Fa&tag=latest");
    EXPECT_TRUE(engine(pulls("host:5000/a:2")));
    EXPECT_EQ(target(), "/images/create?fromImage=host%3A5000%2Fa%3A2");
    EXPECT_TRUE(engine(pulls("a@sha256:12")));
    EXPECT_EQ(target(), "/images/create?fromImage=a%40sha256%3A12");
}

TEST_F(EngineTest, APullThatFailsAfterItsStatusIsAnError) {
    answer("POST /images/create", 200, "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"refused\"},\"error\":\"registry: refused\"}");
    const auto pulled = engine(pulls("a:1"));
    ASSERT_FALSE(pulled);
    EXPECT_EQ(pulled.error().context, "pulling image a:1: registry: refused");
    answer("POST /images/create", 404, R"({"message":"manifest unknown"})");
    EXPECT_EQ(engine(pulls("a:1")).error().code, Code::not_found);
}

TEST_F(EngineTest, AnEngineThatFallsSilentIsGivenUpAtTheDeadline) {
    never_answer("POST /images/create");
    const auto pulled = engine([](Engine& engine) { return engine.pull("a:1", steady_now() + milliseconds(50)); });
    ASSERT_FALSE(pulled);
    EXPECT_EQ(pulled.error().code, Code::timed_out);
    EXPECT_TRUE(pulled.error().context.starts_with("pulling image a:1: ")) << pulled.error().context;
}

TEST_F(EngineTest, AReplyThatIsCutShortIsAnError) {
    cut("GET /version", 200);
    EXPECT_EQ(engine(pings()).error().code, Code::incomplete_body);
    cut("GET /version", 500);
    EXPECT_EQ(engine(pings()).error().code, Code::incomplete_body);
    cut("POST /images/create", 200);
    EXPECT_EQ(engine(pulls("a:1")).error().code, Code::incomplete_body);
}

TEST_F(EngineTest, AnAttachedStreamIsDecoded) {
    answer("POST /containers/abc/attach", 200, std::string("\1\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\3two", 22));
    auto output = engine(attaches("abc"));
    ASSERT_TRUE(output) << output.error().context;
    EXPECT_EQ(target(), "/containers/abc/attach?stream=1&stdout=1&stderr=1");
    EXPECT_EQ(whole(std::move(*output)), "onetwo");
}

TEST_F(EngineTest, ANamedSocketIsTheOnlyOne) {
    ::setenv("DOCKER_HOST", "unix:///named.sock", 1);
    EXPECT_EQ(Engine::usual_sockets("/mine.sock"), std::vector<std::string>{"/mine.sock"});
    EXPECT_EQ(Engine::usual_sockets(""), std::vector<std::string>{"/named.sock"});
    ::setenv("DOCKER_HOST", "tcp://elsewhere:2375", 1);
    ::setenv("XDG_RUNTIME_DIR", "/own", 1);
    const std::vector<std::string> usual{"/run/podman/podman.sock", "/var/run/docker.sock", "/own/podman/podman.sock"};
    EXPECT_EQ(Engine::usual_sockets(""), usual);
    ::unsetenv("DOCKER_HOST");
    ::unsetenv("XDG_RUNTIME_DIR");
    EXPECT_EQ(Engine::usual_sockets("").size(), 2u);
}

// Bytes that arrive in pieces of one size.
class Pieces final : public Source {
public:
    Pieces(std::string bytes, std::size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}
    std::optional<std::uint64_t> size() const override { return std::nullopt; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const std::size_t count = std::min({piece_, buffer.size(), bytes_.size() - offset_});
        std::memcpy(buffer.data(), bytes_.data() + offset_, count);
        offset_ += count;
        co_return count;
    }

private:
    std::string bytes_;
    std::size_t piece_;
    std::size_t offset_ = 0;
};

std::string frame(int stream, const std::string& text) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(stream);
    for (int i = 0; i < 4; ++i) bytes[7 - i] = static_cast<char>(text.size() >> (8 * i));
    return bytes + text;
}

Result<std::string> decoded(const std::string& bytes, std::size_t piece) {
    Loop loop("output");
    ContainerOutput output(std::make_unique<Pieces>(bytes, piece));
    MemorySink sink(1 << 20);
    const Result<std::uint64_t> moved = run_blocking(loop, pump(output, sink));
    if (!moved) return moved.error();
    return sink.bytes();
}

TEST(ContainerOutput, JoinsFramesInWhateverPiecesTheyCome) {
    const std::string long_text(70'000, 'x');
    const std::string bytes = frame(1, "one ") + frame(2, "two ") + frame(1, "") + frame(1, long_text) + frame(2, "end");
    for (const std::size_t piece : {1u, 3u, 7u, 8u, 9u, 4096u, 1u << 20}) {
        const auto text = decoded(bytes, piece);
        ASSERT_TRUE(text) << text.error().context;
        EXPECT_EQ(*text, "one two " + long_text + "end") << piece;
    }
    EXPECT_EQ(decoded("", 1).value(), "");
}

TEST(ContainerOutput, AFrameThatBreaksOffIsAnError) {
    const std::string bytes = frame(1, "hello");
    for (const std::size_t kept : {1u, 7u, 8u, 12u}) EXPECT_EQ(decoded(bytes.substr(0, kept), 5).error().code, Code::incomplete_body) << kept;
}

TEST(ContainerOutput, BytesThatAreNoFramesAreAnError) {
    EXPECT_EQ(decoded("plain words of a terminal", 64).error().code, Code::corrupt);
    EXPECT_EQ(decoded(std::string("\1\0\0\1\0\0\0\1x", 9), 64).error().code, Code::corrupt);
}

}  // namespace
}  // namespace millrace::runtime
