// A second server of the same specification that holds one object at a time: when it crashes, that object did it.
//
// Started when first needed, stopped after half a minute without work. Lives on the control executor; Turns may be
// dropped on any thread.
#pragma once
#include <memory>

#include "core/waiting_line.h"
#include "runtime/server_factory.h"

namespace millrace::runtime {

class ScratchServer : public std::enable_shared_from_this<ScratchServer> {
public:
    // The right to use the server alone, until it is destroyed.
    class Turn {
    public:
        Turn() = default;  // none
        explicit Turn(std::shared_ptr<ScratchServer> scratch) : scratch_(std::move(scratch)) {}
        Turn(Turn&&) noexcept = default;
        Turn& operator=(Turn&&) = delete;
        ~Turn();
        const std::shared_ptr<ServerFacts>& server() const { return facts_; }

    private:
        friend class ScratchServer;
        std::shared_ptr<ScratchServer> scratch_;
        std::shared_ptr<ServerFacts> facts_;
    };

    // place.socket_name is a prefix.
    ScratchServer(Duration init_timeout, Executor control, ServerFactory make_server, ServerPlace place);

    // On any executor: waits for a turn, init_timeout at most, and for the server to be ready. Code::overloaded when too many wait;
    // Code::cancelled with the task, at once: a server that is being started for it is then there for the next.
    static Task<Result<Turn>> begin(std::shared_ptr<ScratchServer> scratch);
    // Stops the server, which may be stuck in the object of this turn: the next turn has another. Requires the turn.
    Task<void> stop_server();
    Task<void> stop();

private:
    struct Wish;
    Task<void> grant(std::shared_ptr<Wish> wish);
    Task<Result<Turn>> take_turn(const Wish& wish);
    Task<bool> wait_turn();
    void end_turn();
    Task<Result<void>> ensure_server();
    Task<void> stop_when_idle();

    const Duration init_timeout_;
    Executor control_;
    const ServerFactory make_server_;
    const ServerPlace place_;
    std::shared_ptr<Server> server_;   // null or ready (perhaps dead since), except during a turn's begin()
    std::uint64_t lives_ = 0;
    bool taken_ = false;
    Instant idle_since_{};
    WaitingLine line_;               // for the turn; bounded
    Event stopping_;
    Event free_;                     // nobody has a turn
    bool watches_idle_ = false;
    TaskGroup tasks_;
};

}  // namespace millrace::runtime
