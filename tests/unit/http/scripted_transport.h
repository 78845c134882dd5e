// A transport in memory that does what a test says, and remembers what was done to it.
#pragma once
#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/transport.h"

namespace millrace::http {

// Belongs to the executor of the transport, and outlives it.
struct TransportScript {
    using Failure = boost::system::error_code;

    // What reads give, in this order. Behind the last one, they wait until the transport is closed.
    void receive(std::string bytes) { reads.emplace_back(std::move(bytes), Failure()); }
    void fail_read(Failure failure) { reads.emplace_back("", failure); }
    void end() { fail_read(boost::asio::error::eof); }

    std::deque<std::pair<std::string, Failure>> reads;
    // How many bytes each write takes, in this order; behind the last one, all. One that takes none fails with `write_failure`; without
    // that it waits until the transport is closed.
    std::deque<std::size_t> writes;
    Failure write_failure;
    Failure open_failure;
    bool opens = true;  // false: the handshake waits until the transport is closed
    bool hung_up = false;
    bool silent = true;
    std::function<void()> on_wait;   // when something begins to wait until the transport is closed
    std::function<void()> on_close;

    std::string written;
    std::optional<Transport::Role> role;  // with which it was opened
    bool ended_sending = false;
    bool was_cut = false;
    bool was_closed = false;  // in whatever way
};

class ScriptedTransport final : public Transport {
public:
    ScriptedTransport(const Executor& executor, TransportScript& script) : script_(script), never_(executor, Instant::max()) {}
    ~ScriptedTransport() override { close(); }

    Task<boost::system::error_code> connect(const sockaddr&, socklen_t) override { co_return boost::asio::error::operation_not_supported; }

    Task<boost::system::error_code> open(Role role) override {
        script_.role = role;
        if (!script_.opens) co_return co_await until_closed();
        co_return script_.open_failure;
    }

    Task<Io> read_some(std::span<std::byte> buffer) override {
        if (!open_) co_return Io(boost::asio::error::bad_descriptor, 0);
        if (script_.reads.empty()) co_return Io(co_await until_closed(), 0);
        auto& [bytes, failure] = script_.reads.front();
        const std::size_t count = bytes.copy(reinterpret_cast<char*>(buffer.data()), buffer.size());
        const Io outcome(failure, count);
        bytes.erase(0, count);
        if (bytes.empty()) script_.reads.pop_front();
        co_return outcome;
    }

    Task<Io> write_some(Parts parts) override {
        const Io outcome = try_write(parts);
        if (std::get<0>(outcome) || std::get<1>(outcome) > 0) co_return outcome;
        if (script_.write_failure) co_return Io(script_.write_failure, 0);
        co_return Io(co_await until_closed(), 0);
    }

    Io try_write(Parts parts) override {
        if (!open_) return {boost::asio::error::bad_descriptor, 0};
        std::string bytes;
        for (const auto& part : parts) bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
        if (!script_.writes.empty()) {
            bytes.resize(std::min(bytes.size(), script_.writes.front()));
            script_.writes.pop_front();
        }
        script_.written += bytes;
        return {{}, bytes.size()};
    }

    Task<void> end_sending() override {
        script_.ended_sending = true;
        co_return;
    }

    void cut() override {
        script_.was_cut = true;
        close();
    }

    void close() override {
        if (!std::exchange(open_, false)) return;
        script_.was_closed = true;
        never_.cancel();
        if (script_.on_close) script_.on_close();
    }

    Descriptor release() override {
        close();
        return {};
    }

    bool is_open() const override { return open_; }
    bool has_hung_up() const override { return script_.hung_up; }
    bool is_silent() override { return open_ && script_.silent; }
    std::string peer() const override { return "script"; }

private:
    Task<boost::system::error_code> until_closed() {
        if (script_.on_wait) script_.on_wait();
        const auto [ended] = co_await never_.async_wait(use_tuple);
        co_return ended;
    }

    TransportScript& script_;
    boost::asio::steady_timer never_;
    bool open_ = true;
};

}  // namespace millrace::http
