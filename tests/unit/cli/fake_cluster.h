// A stand-in for a cluster: an HTTP server whose handler each test writes, and a way to run a command against it.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "core/loop.h"
#include "http/server.h"

namespace millrace::cli {

struct Outcome {
    int status = -1;
    std::string out;
    std::string err;
};

using Environment = std::map<std::string, std::string>;

// Runs a command with the given environment and nothing else of the real one.
inline Outcome run_command(const std::vector<std::string>& args, const Environment& environment = {},
                           const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const auto look_up = [&](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    Console console{in, out, err, look_up};
    Outcome outcome;
    outcome.status = run(console, args);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
}

struct Seen {
    std::string method;
    std::string target;
    http::Headers headers;
    std::string body;
};

// Answers with a handler that gets the request with its whole body; remembers every request.
class FakeNode {
public:
    using Answer = std::function<Task<void>(const Seen&, http::Response&)>;

    explicit FakeNode(Answer answer)
        : answer_(std::move(answer)),
          server_({loop_.executor()},
                  [this](http::Request& request, http::Response& response) { return handle(request, response); }) {
        auto port = server_.listen("127.0.0.1", 0);
        EXPECT_TRUE(port.has_value()) << port.error().context;
        port_ = *port;
    }
    ~FakeNode() { stop(); }

    // For handlers that keep a reply open: until stop().
    Task<void> hold() { (void)co_await stopping_.wait_until(steady_now() + std::chrono::seconds(30)); }

    void stop() {
        loop_.post([this] { stopping_.set(); });
        if (!stopped_) server_.stop(std::chrono::milliseconds(100));
        stopped_ = true;
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    std::vector<Seen> seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    Outcome run(std::vector<std::string> args, const std::string& input = "") const {
        return run_command(args, {{"MILLRACE_ENDPOINT", url()}}, input);
    }

private:
    Task<void> handle(http::Request& request, http::Response& response) {
        auto body = co_await request.read_all(64 << 20);
        Seen seen{request.method, request.target, request.headers, body ? *body : ""};
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(seen);
        }
        co_await answer_(seen, response);
    }

    mutable std::mutex mutex_;
    std::vector<Seen> seen_;
    Answer answer_;
    Loop loop_{"fake-node"};
    Event stopping_{loop_.executor()};
    http::Server server_;
    std::uint16_t port_ = 0;
    bool stopped_ = false;
};

inline Task<void> answer(http::Response& response, int status, http::Headers headers, std::string body) {
    auto sent = co_await response.send(status, headers, body);
    (void)sent;
}
inline Task<void> answer_json(http::Response& response, nlohmann::json value, int status = 200) {
    const http::Headers headers{{"Content-Type", "application/json"}};
    return answer(response, status, headers, value.dump());
}
inline Task<void> answer_error(http::Response& response, Error error) {
    auto sent = co_await response.send_error(error);
    (void)sent;
}

// Answers the n-th request of each "METHOD target" with the n-th reply of its list; the last one again and again.
struct Scripted {
    int status;
    std::string body;
    http::Headers headers;

    Scripted(int s, std::string b, http::Headers h = {}) : status(s), body(std::move(b)), headers(std::move(h)) {}
};
inline FakeNode::Answer script(std::map<std::string, std::vector<Scripted>> replies) {
    auto asked = std::make_shared<std::map<std::string, std::size_t>>();
    return [replies = std::move(replies), asked](const Seen& seen, http::Response& response) -> Task<void> {
        const std::string key = seen.method + " " + seen.target;
        const auto found = replies.find(key);
        if (found == replies.end()) return answer_error(response, fail(Code::not_found, "no script for " + key));
        const std::size_t turn = std::min((*asked)[key]++, found->second.size() - 1);
        const Scripted& reply = found->second[turn];
        return answer(response, reply.status, reply.headers, reply.body);
    };
}

// A folder that is removed with everything in it.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }
    void write(const std::string& name, const std::string& content) const;  // makes the folders above
    std::string read(const std::string& name) const;
    void make_older(const std::string& name) const;
    std::vector<std::string> names() const;  // directly inside, sorted

private:
    std::string path_;
};

}  // namespace millrace::cli
