#include "runtime/engine.h"

#include <cstdlib>

#include "core/uri.h"
#include "runtime/container_output.h"
#include "runtime/engine_json.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace {

constexpr Duration kShort = std::chrono::seconds(10);
constexpr Duration kLong = std::chrono::seconds(60);
constexpr Duration kStumbleTimeMax = std::chrono::seconds(1);
constexpr Duration kStumblePause = std::chrono::milliseconds(20);
constexpr std::size_t kReplyBytesMax = 8 << 20;
constexpr std::size_t kEngineErrorBytesMax = 64 * 1024;
constexpr std::size_t kLineBytesMax = 64 * 1024;

std::string container_path(std::string_view id, std::string_view rest) { return "/containers/" + percent_encode(id) + std::string(rest); }
std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }

// An image that is named without a tag means the newest; asked for without one, Docker would fetch every tag.
bool names_a_version(std::string_view image) {
    const std::size_t slash = image.rfind('/');
    return image.substr(slash == image.npos ? 0 : slash).find_first_of(":@") != image.npos;
}

// The lines of a pull's progress: the last failure that they tell.
class PullProgress {
public:
    void append(std::string_view bytes) {
        for (const char c : bytes) {
            if (c == '\n') {
                end_line();
            } else if (line_.size() < kLineBytesMax) {
                line_ += c;
            }
        }
    }
    void end_line() {
        if (auto failure = engine_json::pull_failure(line_)) failure_ = std::move(*failure);
        line_.clear();
    }
    const std::string& failure() const { return failure_; }

private:
    std::string line_;
    std::string failure_;
};

Task<Result<std::string>> read_pull_failure(http::Exchange& exchange) {
    PullProgress progress;
    std::vector<std::byte> buffer(16 * 1024);
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await exchange.read(buffer));
        if (count == 0) break;
        progress.append({reinterpret_cast<const char*>(buffer.data()), count});
    }
    progress.end_line();
    co_return progress.failure();
}

}  // namespace

struct Engine::Call {
    std::string doing;  // "starting container 0123456789ab"
    std::string method = "GET";
    std::string target;
    std::string body;
    Instant deadline = steady_now() + kShort;
    bool is_stream = false;  // its end is that of the connection
};

Engine::Engine(Executor executor, std::string socket) : client_(executor) { endpoint_.unix_path = std::move(socket); }

std::vector<std::string> Engine::usual_sockets(const std::string& configured) {
    if (!configured.empty()) return {configured};
    constexpr std::string_view kScheme = "unix://";
    const char* host = std::getenv("DOCKER_HOST");
    if (host != nullptr && std::string_view(host).starts_with(kScheme)) return {std::string(host).substr(kScheme.size())};
    std::vector<std::string> sockets{"/run/podman/podman.sock", "/var/run/docker.sock"};
    const char* own = std::getenv("XDG_RUNTIME_DIR");
    if (own != nullptr && *own != '\0') sockets.push_back(std::string(own) + "/podman/podman.sock");
    return sockets;
}

Error Engine::no_engine(const Error& why) const {
    return fail(Code::unavailable, "no container engine answers at " + endpoint_.unix_path + " (" + why.context +
                                       "); start Podman (systemctl start podman.socket) or Docker there, or name the socket of "
                                       "the one that runs, with container_engine in the target's configuration or DOCKER_HOST=unix:///path");
}

Task<Result<std::unique_ptr<http::Exchange>>> Engine::open(Call call) {
    struct Body {
        explicit Body(std::string content) : text(std::move(content)), source(text) {}
        const std::string text;
        MemorySource source;
    };
    const auto body = std::make_shared<Body>(std::move(call.body));
    http::ClientRequest request{.method = call.method, .target = call.target, .deadline = call.deadline, .trusts_end_of_connection = call.is_stream};
    if (!body->text.empty()) {
        request.headers.set("Content-Type", "application/json");
        request.body = &body->source;
        request.body_owner = body;
    }
    auto exchange = co_await client_.send(endpoint_, request);
    if (!exchange && exchange.error().code == Code::unavailable) co_return no_engine(exchange.error()).during(call.doing);
    if (!exchange) co_return exchange.error().during(call.doing);
    http::Exchange& reply = **exchange;
    if (reply.status < 400) co_return std::move(*exchange);
    const Result<std::string> text = co_await reply.read_all(kEngineErrorBytesMax);
    if (!text) co_return text.error().during(call.doing);
    co_return engine_json::error(reply.status, *text).during(call.doing);
}

Task<Result<std::string>> Engine::send(Call call) {
    const std::string doing = call.doing;
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<http::Exchange> exchange, co_await open(std::move(call)));
    Result<std::string> body = co_await exchange->read_all(kReplyBytesMax);
    if (!body) co_return body.error().during(doing);
    co_return body;
}

Task<Result<std::string>> Engine::ping() {
    Call call{.doing = "looking for a container engine", .target = "/version"};
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await send(std::move(call)));
    co_return engine_json::version(body);
}

Task<Result<ImageInfo>> Engine::image(std::string name) {
    Call call{.doing = "looking for image " + name, .target = "/images/" + percent_encode(name, "/") + "/json"};
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await send(std::move(call)));
    co_return engine_json::image(body);
}

Task<Result<void>> Engine::pull(std::string name, Instant deadline) {
    const std::string doing = "pulling image " + name;
    Call call{.doing = doing, .method = "POST", .target = "/images/create?fromImage=" + percent_encode(name), .deadline = deadline};
    if (!names_a_version(name)) call.target += "&tag=latest";
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<http::Exchange> exchange, co_await open(std::move(call)));
    // The status was sent before the work began: failures come as lines of its progress.
    http::Exchange& reply = *exchange;
    const Result<std::string> failure = co_await read_pull_failure(reply);
    if (!failure) co_return failure.error().during(doing);
    if (!failure->empty()) co_return fail(Code::transient, *failure).during(doing);
    co_return Result<void>{};
}

Task<Result<std::string>> Engine::create(ContainerRequest request) {
    Call call{.doing = "creating a container of image " + request.image, .method = "POST", .target = "/containers/create"};
    if (!request.name.empty()) call.target += "?name=" + percent_encode(request.name);
    call.deadline = steady_now() + kLong;
    auto document = engine_json::create_request(request);
    if (!document) co_return document.error().during(call.doing);
    call.body = std::move(*document);
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await send(std::move(call)));
    co_return engine_json::created_id(body);
}

Task<Result<std::unique_ptr<Source>>> Engine::attach(std::string id, Instant deadline) {
    Call call{.doing = "attaching to container " + short_id(id), .method = "POST", .deadline = deadline, .is_stream = true};
    call.target = container_path(id, "/attach?stream=1&stdout=1&stderr=1");
    MILLRACE_CO_TRY_ASSIGN(std::unique_ptr<http::Exchange> exchange, co_await open(std::move(call)));
    co_return std::make_unique<ContainerOutput>(std::move(exchange));
}

Task<Result<void>> Engine::start(std::string id) {
    Call call{.doing = "starting container " + short_id(id), .method = "POST", .target = container_path(id, "/start")};
    call.deadline = steady_now() + kLong;
    const Result<std::string> reply = co_await send(std::move(call));
    if (!reply) co_return reply.error();
    co_return Result<void>{};
}

Task<Result<ContainerState>> Engine::inspect(std::string id) {
    const Instant deadline = steady_now() + kStumbleTimeMax;
    for (;;) {
        Call call{.doing = "asking for container " + short_id(id), .target = container_path(id, "/json")};
        const Result<std::string> body = co_await send(std::move(call));
        if (body) co_return engine_json::state(*body);
        if (body.error().code != Code::transient || steady_now() >= deadline) co_return body.error();
        co_await sleep_for(kStumblePause);
    }
}

Task<Result<void>> Engine::kill(std::string id, std::string signal) {
    Call call{.doing = "sending " + signal + " to container " + short_id(id), .method = "POST"};
    call.target = container_path(id, "/kill?signal=" + percent_encode(signal));
    const Result<std::string> reply = co_await send(std::move(call));
    if (!reply) co_return reply.error();
    co_return Result<void>{};
}

Task<Result<void>> Engine::remove(std::string id) {
    Call call{.doing = "removing container " + short_id(id), .method = "DELETE", .target = container_path(id, "?force=1&v=1")};
    call.deadline = steady_now() + kLong;
    const Result<std::string> reply = co_await send(std::move(call));
    if (!reply && reply.error().code != Code::not_found) co_return reply.error();
    co_return Result<void>{};
}

Task<Result<std::vector<std::string>>> Engine::list(std::string label) {
    Call call{.doing = "listing containers", .target = "/containers/json?all=1&filters="};
    call.target += percent_encode(engine_json::label_filter(label));
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await send(std::move(call)));
    co_return engine_json::ids(body);
}

}  // namespace millrace::runtime
