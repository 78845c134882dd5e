#include "cli/session.h"

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/document.h"
#include "cli/output.h"
#include "http/problem.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kUnreachable = "cannot reach ";
constexpr int kRedirectsMax = 5;
constexpr auto kConnectMax = std::chrono::seconds(2);          // where there is another way
constexpr auto kOutOfReachKept = std::chrono::seconds(60);

class TextSource final : public Source {
public:
    explicit TextSource(std::shared_ptr<const std::string> text) : text_(std::move(text)), bytes_(*text_) {}
    std::optional<std::uint64_t> size() const override { return bytes_.size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override { return bytes_.read(buffer); }
    std::optional<std::string_view> whole() const override { return bytes_.whole(); }

private:
    std::shared_ptr<const std::string> text_;
    MemorySource bytes_;
};

bool is_redirect(int status) { return status == 301 || status == 302 || status == 307 || status == 308; }

// Why nothing came back, without the address.
std::string detail_of(const http::Endpoint& endpoint, const Error& why) {
    std::string_view detail = why.code == Code::timed_out ? "no answer in time" : std::string_view(why.context);
    const std::string repeated = "cannot connect to " + endpoint.text() + ": ";
    if (detail.starts_with(repeated)) detail.remove_prefix(repeated.size());
    return std::string(detail);
}

Error unreachable(const http::Endpoint& endpoint, const Error& why) {
    return fail(Code::unavailable, std::string(kUnreachable) + endpoint.text() + ": " + detail_of(endpoint, why));
}

// The proxy asks the nodes itself for objects only.
bool has_detour(const std::string& target) { return target.starts_with("/v1/objects/"); }

// Whether nothing is done twice that way: a DELETE that was carried out would find nothing the second time.
bool may_go_again(const Call& call, const Error& why) {
    return why.code == Code::unavailable && (call.method != "DELETE" || why.context.starts_with("cannot connect to ") ||
                                               why.context.starts_with("cannot look up "));
}

std::string detour_of(const std::string& target) { return target + (target.find('?') == target.npos ? "?" : "&") + "redirect=no"; }

// Where a redirect leads: an absolute URL, or a path on the same node.
Result<http::Url> redirect_url(const http::Exchange& exchange, const http::Endpoint& here) {
    const auto location = exchange.headers.find("Location");
    if (!location) return fail(Code::internal, here.text() + " answered with a redirect that does not say where to");
    if (location->starts_with('/') && !location->starts_with("//")) return http::Url{here, std::string(*location)};
    auto url = http::Url::parse(*location);
    if (!url) return fail(Code::internal, here.text() + " redirects to '" + std::string(*location) + "': " + url.error().context);
    return url;
}

// Cancels the group on SIGINT or SIGTERM; from then on, and after end(), signals act as usual again.
class Interrupts {
public:
    Interrupts(Executor executor, TaskGroup& group)
        : signals_(executor, SIGINT, SIGTERM), state_(std::make_shared<State>(&group)) {
        signals_.async_wait([this, state = state_](const boost::system::error_code& error, int) {
            if (error || state->group == nullptr) return;
            state->interrupted = true;
            boost::system::error_code ignored;
            signals_.clear(ignored);
            state->group->cancel();
        });
    }
    ~Interrupts() { state_->group = nullptr; }
    bool interrupted() const { return state_->interrupted; }

private:
    struct State {
        TaskGroup* group;  // null once the object is gone
        bool interrupted = false;
        explicit State(TaskGroup* g) : group(g) {}
    };
    boost::asio::signal_set signals_;
    std::shared_ptr<State> state_;
};

Task<bool> run_group(Executor executor, std::function<void(TaskGroup&)> spawn) {
    TaskGroup group(executor);
    Interrupts interrupts(executor, group);
    spawn(group);
    co_await group.join();
    co_return !interrupts.interrupted();
}

}  // namespace

BodyMaker text_body(std::string text) {
    auto held = std::make_shared<const std::string>(std::move(text));
    return [held]() -> Result<std::unique_ptr<Source>> { return std::make_unique<TextSource>(held); };
}

Task<Result<void>> check_status(http::Exchange& exchange) {
    if (exchange.status < 400) co_return Result<void>{};
    constexpr std::size_t kProblemBytesMax = 256 << 10;
    auto body = co_await exchange.read_all(kProblemBytesMax);
    co_return http::error_of_reply(exchange.status, body ? *body : std::string());
}

Session::Session(ProxyAddress proxy, Notice notice, std::string token) : proxy_(std::move(proxy)), notice_(std::move(notice)), token_(std::move(token)) {
    auto make = [this] { client_ = std::make_unique<http::Client>(loop_.executor()); };
    run_blocking(loop_, call_on(loop_.executor(), make));
}

Session::~Session() {
    auto destroy = [this] { client_.reset(); };
    run_blocking(loop_, call_on(loop_.executor(), destroy));
}

Task<Result<OpenExchange>> Session::open(Call call) { return open_at(proxy_.endpoint, std::move(call)); }

Task<Result<OpenExchange>> Session::open_at(http::Endpoint endpoint, Call call) {
    http::ClientRequest request;
    request.method = call.method;
    request.target = call.target;
    request.headers = call.headers;
    request.expect_continue = call.expect_continue;
    request.deadline = steady_now() + call.time_max;
    request.due = call.due;
    std::optional<std::pair<http::Endpoint, Error>> out_of_reach;  // the node that is gone around, and why
    bool is_detour = false;
    for (int redirects = 0; redirects <= kRedirectsMax; ++redirects) {
        OpenExchange open;
        if (call.body) {
            MILLRACE_CO_TRY_ASSIGN(open.body, call.body());
        }
        request.body = open.body.get();
        request.headers = call.headers;
        const bool is_asked_by_us = redirects == 0 || endpoint == proxy_.endpoint;
        if (!token_.empty() && is_asked_by_us) request.headers.set("Authorization", "Bearer " + token_);
        const bool may_detour = !is_detour && endpoint != proxy_.endpoint && has_detour(call.target);
        request.connect_timeout = may_detour ? Duration(kConnectMax) : http::ClientRequest().connect_timeout;
        const bool is_skipped = may_detour && is_out_of_reach(endpoint);
        Result<std::unique_ptr<http::Exchange>> sent = fail(Code::unavailable, "not tried");
        if (!is_skipped) sent = co_await client_->send(endpoint, request);
        if (!sent) {
            if (may_detour && (is_skipped || may_go_again(call, sent.error()))) {
                if (!is_skipped) out_of_reach.emplace(endpoint, sent.error());
                is_detour = true;
                endpoint = proxy_.endpoint;
                request.target = detour_of(call.target);
                continue;
            }
            const bool no_answer = sent.error().code == Code::unavailable || sent.error().code == Code::timed_out;
            if (no_answer) co_return unreachable(endpoint, sent.error());
            co_return sent.error();
        }
        open.exchange = std::move(*sent);
        if (!is_redirect(open.exchange->status)) {
            if (!out_of_reach) co_return open;
            co_return co_await judge_detour(std::move(open), std::move(out_of_reach->first), std::move(out_of_reach->second));
        }
        MILLRACE_CO_TRY_ASSIGN(http::Url next, redirect_url(*open.exchange, endpoint));
        if (!call.body) {  // the connection may be used again once the reply was read; else it is just closed
            auto rest = co_await open.exchange->read_all(64 << 10);
            (void)rest;
        }
        endpoint = std::move(next.endpoint);
        request.target = std::move(next.target);
    }
    co_return fail(Code::internal,
                   proxy_.endpoint.text() + call.target + ": more than 5 redirects, the last to " + endpoint.text());
}

bool Session::is_out_of_reach(const http::Endpoint& node) const {
    const auto found = out_of_reach_.find(node.text());
    return found != out_of_reach_.end() && steady_now() < found->second;
}

// A node that the proxy does not reach either is down; any other answer is the node's own.
Task<Result<OpenExchange>> Session::judge_detour(OpenExchange open, http::Endpoint node, Error why) {
    if (open.exchange->status == 503) {
        const Result<void> refused = co_await check_status(*open.exchange);
        if (refused.error().code != Code::unavailable) co_return refused.error();
        co_return fail(Code::unavailable, unreachable(node, why).context + "; nor does the proxy reach it: " + refused.error().context);
    }
    out_of_reach_[node.text()] = steady_now() + kOutOfReachKept;
    if (notice_ && !std::exchange(said_detour_, true)) {
        notice_(node.text() + " cannot be reached from here (" + detail_of(node, why) + "), but through the proxy: all bytes go that way, which is slower");
    }
    co_return open;
}

Task<Result<http::Reply>> Session::fetch(Call call) {
    const std::string method = call.method;
    MILLRACE_CO_TRY_ASSIGN(OpenExchange open, co_await open_at(proxy_.endpoint, std::move(call)));
    MILLRACE_CO_TRY(co_await check_status(*open.exchange));
    http::Reply reply;
    reply.status = open.exchange->status;
    reply.headers = open.exchange->headers;
    if (method != "HEAD") {
        auto body = co_await open.exchange->read_all(kReplyBytesMax);
        if (!body) co_return body.error().during("reading the reply of " + proxy_.endpoint.text());
        reply.body = std::move(*body);
    }
    co_return reply;
}

Result<nlohmann::json> Session::get(std::string target) {
    Call call;
    call.target = std::move(target);
    return request(std::move(call));
}

Result<nlohmann::json> Session::list(std::string target) {
    MILLRACE_TRY_ASSIGN(nlohmann::json rows, get(std::move(target)));
    if (!rows.is_array()) return fail(Code::internal, "the reply is not the list that was expected; is the endpoint a Millrace proxy?");
    return rows;
}

Result<nlohmann::json> Session::request(Call call) {
    MILLRACE_TRY_ASSIGN(const http::Reply reply, run_blocking(loop_, fetch(std::move(call))));
    return parse_json(reply.body);
}

Result<nlohmann::json> Session::send(std::string method, std::string target, const nlohmann::json& value) {
    Call call;
    call.method = std::move(method);
    call.target = std::move(target);
    call.headers = {{"Content-Type", "application/json"}};
    call.body = text_body(json_line(value));
    return request(std::move(call));
}

bool Session::run(std::function<void(TaskGroup&)> spawn) {
    return run_blocking(loop_, run_group(loop_.executor(), std::move(spawn)));
}

bool Session::is_unreachable(const Error& error) {
    return error.code == Code::unavailable && error.context.starts_with(kUnreachable);
}

std::string Session::unreachable_hint(const Error& error) const {
    if (!error.context.starts_with(std::string(kUnreachable) + proxy_.endpoint.text() + ":")) return "";
    if (proxy_.origin == "the default") {
        return "start one with: millrace dev   (or name another with --endpoint or MILLRACE_ENDPOINT)";
    }
    const bool here = proxy_.endpoint.host == "127.0.0.1" || proxy_.endpoint.host == "localhost";
    const std::string origin = "the address comes from " + proxy_.origin;
    return here ? "start one with: millrace dev   (" + origin + ")" : origin + "; is the cluster running there?";
}

}  // namespace millrace::cli
