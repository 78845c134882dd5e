// The conversation with one cluster: requests to the proxy (and to the nodes it redirects to) on a loop of its own. What concerns an
// object goes through the proxy where its node cannot be reached from here, but from the proxy.
//
// The blocking calls are for the command's main thread; the tasks run on executor().
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/endpoint.h"
#include "core/body.h"
#include "core/loop.h"
#include "http/client.h"

namespace millrace::cli {

inline constexpr std::size_t kReplyBytesMax = 16 << 20;

// Makes the body of a request anew for each time it is sent. Fails where it cannot be sent again.
using BodyMaker = std::function<Result<std::unique_ptr<Source>>()>;

struct Call {
    std::string method = "GET";
    std::string target;  // "/v1/…", encoded
    http::Headers headers;
    BodyMaker body;  // empty: no body
    bool expect_continue = false;
    Duration time_max = std::chrono::seconds(30);  // the whole exchange, redirects included
    std::function<Instant()> due{};                // when that has passed, until when it may go on (http::ClientRequest)
};

// An exchange under way together with the body it sends.
struct OpenExchange {
    std::unique_ptr<Source> body;  // outlives the exchange
    std::unique_ptr<http::Exchange> exchange;
};

class Session {
public:
    using Notice = std::function<void(const std::string& text)>;

    // `notice` is called on executor(), for what should be known although all is well.
    // token: shown to every node that is asked, but not where it redirects to: that comes with a ticket. Empty: none.
    explicit Session(ProxyAddress proxy, Notice notice = {}, std::string token = {});
    ~Session();

    // Code::unavailable also where nobody answers in time.
    Task<Result<OpenExchange>> open(Call call);
    // The same, first to a node other than the proxy. Follows up to five redirects (301, 302, 307, 308). A node that does not take the
    // connection within two seconds, or took none lately, is left to the proxy to ask.
    Task<Result<OpenExchange>> open_at(http::Endpoint endpoint, Call call);
    // The whole reply in memory, a status >= 400 as its Error.
    Task<Result<http::Reply>> fetch(Call call);

    // Blocking: JSON replies, an empty one as null.
    Result<nlohmann::json> get(std::string target);
    // An array; anything else is an error.
    Result<nlohmann::json> list(std::string target);
    Result<nlohmann::json> request(Call call);
    // Sends a JSON value.
    Result<nlohmann::json> send(std::string method, std::string target, const nlohmann::json& value);

    // Blocking: spawns tasks and runs them, and what they spawn, to their ends. SIGINT and SIGTERM cancel them all; false
    // when that happened.
    bool run(std::function<void(TaskGroup&)> spawn);

    Executor executor() { return loop_.executor(); }
    Loop& loop() { return loop_; }

    // Whether no reply came at all, as opposed to one that says "unavailable".
    static bool is_unreachable(const Error& error);
    // What to do about it, "" if it is not the proxy that cannot be reached.
    std::string unreachable_hint(const Error& error) const;

private:
    bool is_out_of_reach(const http::Endpoint& node) const;
    // What came of a detour around the node, which failed with `why`.
    Task<Result<OpenExchange>> judge_detour(OpenExchange open, http::Endpoint node, Error why);

    ProxyAddress proxy_;
    Notice notice_;
    const std::string token_;
    Loop loop_{"millrace-cli"};
    std::unique_ptr<http::Client> client_;  // made, used and destroyed on the loop
    std::map<std::string, Instant> out_of_reach_;  // nodes that only the proxy reaches, and until when they are not tried
    bool said_detour_ = false;
};

// A body of text that lies in memory.
BodyMaker text_body(std::string text);
// Reads what an exchange of status >= 400 says went wrong.
Task<Result<void>> check_status(http::Exchange& exchange);

}  // namespace millrace::cli
