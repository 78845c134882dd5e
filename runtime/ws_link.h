// One connection of a WsCommunicator: objects are sent through it one after the other, and answered in the same order, each
// answer straight into its own sink.
//
// Lives on one lane.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/websocket.h"
#include "runtime/direct_put.h"
#include "runtime/instance.h"
#include "runtime/server_facts.h"
#include "core/waiting_line.h"

namespace millrace::runtime {

// One object on its way, in the frame of its run.
struct Passage {
    Passage(const Executor& lane, const ObjectRun& run, Source& from, Sink& to, DirectPut* expected, std::string message)
        : object(run), source(from), sink(to), direct(expected), control(std::move(message)),
          allowed(run.allowed()), sent(lane), settled(lane) {}
    void settle(RunResult outcome);
    // Whether all of it can be sent once more, and nothing of an answer has come.
    bool can_go_again() const;
    void go_again();
    // When the time of the first one that is unanswered is up.
    Instant due() const { return object.clock != nullptr ? object.due() : head_since + allowed; }

    const ObjectRun& object;
    Source& source;
    Sink& sink;
    DirectPut* direct;          // null: the result comes in the answer only
    const std::string control;  // the message ahead of the content
    const Duration allowed;     // from when all objects before it are answered
    Instant head_since{};       // when that was
    std::uint64_t bytes_sent = 0;  // of the content
    std::optional<Error> source_error;
    bool is_cancelled = false;
    bool is_answered = false;      // or begins to be
    bool goes_again = false;       // settled, but not here: its connection was given up for another's sake
    std::uint32_t returns = 0;     // so often
    Event sent;     // all of it, or no more will be
    Event settled;  // the result is there, and the sink is not touched any more
    RunResult result;
};

class WsLink : public std::enable_shared_from_this<WsLink> {
public:
    WsLink(const Executor& lane, std::shared_ptr<ServerFacts> server, TaskGroup& readers)
        : lane_(lane), server_(std::move(server)), readers_(readers), turns_(lane) {}

    // Sends the object when it is its turn, and returns when it is settled; false when it may go by another connection, as this one
    // broke before anything was sent, or was given up for another object's sake. Its task must not throw when it is cancelled.
    Task<bool> carry(Passage& passage);
    // Breaks the connection for a reason of ours; what is on it is settled soon.
    void give_up();
    // With a farewell where nothing is on it.
    Task<void> close();

    bool is_broken() const { return broken_; }
    std::size_t objects() const { return objects_; }

private:
    Task<void> send(Passage& passage);
    Task<bool> connect(Passage& passage);
    Task<Result<void>> send_content(Passage& passage);
    static Task<Result<std::size_t>> read_source(Passage& passage, std::span<std::byte> buffer);
    static Task<void> read_answers(std::shared_ptr<WsLink> self);
    Task<Error> read_until_broken();
    Task<Result<void>> take_answer(Passage& passage, http::WebSocket::Piece piece);
    void begin_next();
    void let_go(Passage& passage);
    void moved(const Passage& passage);
    void stop_sending();
    static bool is_orderly(int code);
    static Failure farewell_failure(const http::WebSocket::Farewell& farewell);
    const Passage* blamed(const http::WebSocket::Farewell& farewell) const;
    void settle_by(const http::WebSocket::Farewell& farewell);
    Task<void> settle_rest(Error why);
    void cut();

    const Executor lane_;
    const std::shared_ptr<ServerFacts> server_;
    TaskGroup& readers_;
    std::unique_ptr<http::WebSocket> socket_;  // null before the first object
    std::deque<Passage*> unanswered_;          // in the order of their sending; the server owes the first one an answer
    WaitingLine turns_;                        // to send
    std::size_t objects_ = 0;                  // sent, being sent or waiting for that
    std::vector<std::byte> answer_;
    std::vector<std::byte> content_;           // a piece of the object that is being sent
    bool sending_ = false;
    bool broken_ = false;
    bool given_up_ = false;
    bool is_lost_ = false;                     // it takes no more; whatever it still says is read
};

}  // namespace millrace::runtime
