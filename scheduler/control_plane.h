// Where a proxy's state meets the world: messages in, time, records, messages out. Everything that changes the state does it in a turn: one
// after the other, each until what it decided is written down. So nobody acts on a state that another is about to take back, however long
// a commit takes.
//
// Control loop only. Whoever only looks needs no turn.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/config.h"
#include "core/loop.h"
#include "core/waiting_line.h"
#include "scheduler/cluster_state.h"
#include "scheduler/record_writer.h"
#include "wire/links.h"

namespace millrace::scheduler {

class ControlPlane {
public:
    ControlPlane(Loop& control, const ProxyConfig& config, ClusterState& state, RecordWriter& records);
    ~ControlPlane();  // requires stop()

    // It was started in spite of a loss: should targets know more than it does, it is accepted at once.
    void accept_loss() { accepts_loss_ = true; }
    using OpenLink = std::function<Result<std::unique_ptr<wire::LinkToTargets>>(wire::LinkToTargets::Receive)>;
    // Begins to answer. http_port: where the proxy's HTTP server listens.
    Result<void> start(std::uint16_t http_port, const OpenLink& open_link);
    Task<void> stop();

    // Runs make_task(), a Task<Result<T>>, in a turn, to its end, even when the task that asks is cancelled. Code::unavailable when the turns
    // before it take too long.
    template <class MakeTask>
    auto in_turn(MakeTask make_task) -> std::invoke_result_t<MakeTask> {
        std::optional<typename std::invoke_result_t<MakeTask>::value_type> outcome;
        Turn turn = [&] { return keep_result(make_task, outcome); };
        if (!co_await run_turn(std::move(turn))) {
            co_return fail(Code::unavailable, "the proxy is still busy writing down what others asked for; try again in a moment");
        }
        co_return *std::move(outcome);
    }

    // ---- in a turn
    // Writes down what is behind, and tells those whom it concerns. On an error it stays to be written, and what speaks of it is not told:
    // all of that is said again.
    Task<Result<void>> flush();
    // The catalog is this one: written down, and told to every target that is online.
    Task<Result<void>> change_catalog(DesiredCatalog changed);

    // ---- any time
    // Called with every change of what targets should have.
    void call_when_catalog_changes(std::function<void()> call) { catalog_changed_ = std::move(call); }
    // A node whose folder is an older copy, or another, is believed from now on: a target's id, or this proxy's. What was done, as a sentence.
    Task<Result<std::string>> accept(std::string node);
    // Returns when something about jobs or members may have changed, or at the deadline.
    Task<void> wait_for_change(Instant deadline);
    // Why nothing can be written down now; empty: it can.
    void set_obstacle(std::string reason) { obstacle_ = std::move(reason); }
    const std::string& obstacle() const { return obstacle_; }

private:
    struct Letter {
        std::string route;
        wire::Message message;
    };
    // What is done in a turn. False when the turns before it take too long.
    using Turn = std::function<Task<void>()>;
    Task<bool> run_turn(Turn turn);
    Task<bool> take_turn(const Turn& turn);
    Task<bool> begin_turn();
    void end_turn();

    void take_in(const std::string& route, wire::Message message);
    void drop_older(const std::string& route, const wire::Message& newest);
    Task<void> run();
    Task<Result<void>> work_off();
    Task<void> tick();
    Task<void> housekeep(Instant now);

    Task<void> receive(std::string route, wire::Message message);
    Task<void> receive_hello(std::string route, wire::Hello hello);
    void receive_heartbeat(const std::string& route, const wire::Heartbeat& heartbeat);
    Task<void> receive_transforms(std::string target, wire::TransformStatus status);
    Task<void> welcome(std::string route, wire::Hello hello, bool is_new_process);
    void refuse(const std::string& route, std::string reason, bool wants_catalog);

    // The jobs before them: a target that was accepted finds them as they should be.
    Task<Result<void>> write_members();
    Task<Result<std::string>> accept_node(std::string node);
    Task<Result<void>> accept_self();

    void send_catalog(const std::string& target, Instant now);
    // With the keys by which that target proves itself to the others.
    wire::ClusterMap map_for(const std::string& target) const;
    void broadcast(const wire::Message& message);
    void send(const std::string& target, const wire::Message& message);
    void send_to(const std::string& route, const wire::Message& message);
    void pulse();

    Loop& control_;
    const ProxyConfig& config_;
    ClusterState& state_;
    RecordWriter& records_;
    std::uint16_t http_port_ = 0;
    std::unique_ptr<wire::LinkToTargets> link_;
    std::function<void()> catalog_changed_ = [] {};
    bool accepts_loss_ = false;
    bool cannot_write_ = false;
    std::string obstacle_;

    WaitingLine turns_;
    bool is_turn_taken_ = false;
    std::deque<Letter> mail_;      // that nobody has looked at; bounded
    bool is_mail_lost_ = false;    // since it was last empty
    Event mail_came_;              // or it stops
    Event changed_;
    bool stopping_ = false;
    TaskGroup tasks_;

    struct CatalogSent {
        std::uint64_t version = 0;
        Instant at{};
        Duration pause{};          // until it is told again
    };
    std::map<std::string, CatalogSent> catalog_sent_;  // by member
    Instant next_tick_{};
    Instant next_beat_{};
    Instant next_housekeeping_{};
};

}  // namespace millrace::scheduler
