#include "runtime/scratch_server.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>

#include "runtime/child_environment.h"

namespace millrace::runtime {
namespace {
constexpr std::size_t kScratchWaitingMax = 1024;
constexpr Duration kIdleTimeMax = std::chrono::seconds(30);
}  // namespace

ScratchServer::Turn::~Turn() {
    if (!scratch_) return;
    const Executor control = scratch_->control_;
    boost::asio::post(control, [scratch = std::move(scratch_)] { scratch->end_turn(); });
}

ScratchServer::ScratchServer(Duration init_timeout, Executor control, ServerFactory make_server, ServerPlace place)
    : init_timeout_(init_timeout), control_(control), make_server_(std::move(make_server)), place_(std::move(place)), line_(control), stopping_(control),
      free_(control), tasks_(control) {
    free_.set();
}

// Somebody waits for a turn. He may go away; what was begun is then finished here, so that nothing is left half started.
struct ScratchServer::Wish {
    explicit Wish(const Executor& executor) : lane(executor), answered(executor) {}
    void give(Result<Turn> turn) {
        answer.emplace(std::move(turn));
        answered.set();
    }

    Executor lane;
    Event answered;
    std::optional<Result<Turn>> answer;  // used on the lane
    std::atomic<bool> is_given_up = false;
};

Task<Result<ScratchServer::Turn>> ScratchServer::begin(std::shared_ptr<ScratchServer> scratch) {
    const auto wish = std::make_shared<Wish>(co_await boost::asio::this_coro::executor);
    boost::asio::post(scratch->control_, [scratch, wish] {
        if (scratch->stopping_.is_set()) {
            boost::asio::post(wish->lane, [wish] { wish->give(fail(Code::unavailable, "stopped")); });
        } else {
            scratch->tasks_.spawn(scratch->grant(wish));
        }
    });
    while (!wish->answered.is_set()) {
        if (co_await is_cancelled()) {
            wish->is_given_up = true;
            co_return fail(Code::cancelled, "the run was cancelled");
        }
        (void)co_await wish->answered.wait_until(steady_now() + std::chrono::hours(1));
    }
    co_return std::move(*wish->answer);
}

Task<void> ScratchServer::grant(std::shared_ptr<Wish> wish) {
    Result<Turn> turn = co_await take_turn(*wish);
    boost::asio::post(wish->lane, [wish, turn = std::move(turn)]() mutable { wish->give(std::move(turn)); });
}

Task<Result<ScratchServer::Turn>> ScratchServer::take_turn(const Wish& wish) {
    if (taken_ && line_.size() >= kScratchWaitingMax) co_return fail(Code::overloaded, "too many objects wait to be tried alone");
    if (!co_await wait_turn()) co_return fail(Code::unavailable, "no turn to be tried alone within the init_timeout");
    Turn turn(shared_from_this());
    if (stopping_.is_set()) co_return fail(Code::unavailable, "stopped");
    if (wish.is_given_up) co_return fail(Code::cancelled, "the run was cancelled");
    MILLRACE_CO_TRY(co_await ensure_server());
    turn.facts_ = server_->facts();
    co_return turn;
}

Task<bool> ScratchServer::wait_turn() {
    auto is_free = [this] { return !taken_; };
    const bool granted = co_await line_.wait(is_free, steady_now() + init_timeout_);
    if (granted) {
        taken_ = true;
        free_.clear();
    }
    co_return granted;
}

void ScratchServer::end_turn() {
    idle_since_ = steady_now();
    taken_ = false;
    free_.set();
    line_.look_again();
}

// Requires the turn. Whoever calls stop() meanwhile holds on to the server it stops.
Task<Result<void>> ScratchServer::ensure_server() {
    if (server_ && !server_->has_exited()) co_return Result<void>{};
    co_await stop_server();
    if (stopping_.is_set()) co_return fail(Code::unavailable, "stopped");
    const std::shared_ptr<Server> server = make_server_();
    server_ = server;
    ServerPlace place = place_;
    place.socket_name += std::to_string(++lives_);
    const Result<void> started = co_await server->start(place);
    if (!started.has_value()) {
        co_await stop_server();
        co_return started;
    }
    if (!watches_idle_) {
        watches_idle_ = true;
        tasks_.spawn(stop_when_idle());
    }
    co_return Result<void>{};
}

Task<void> ScratchServer::stop_server() {
    const std::shared_ptr<Server> server = server_;
    if (!server) co_return;
    co_await server->stop();
    if (server_ == server) server_.reset();
}

Task<void> ScratchServer::stop_when_idle() {
    idle_since_ = steady_now();
    Instant next = idle_since_ + kIdleTimeMax;
    while (!co_await stopping_.wait_until(next)) {
        const Instant now = steady_now();
        next = taken_ ? now + kIdleTimeMax : idle_since_ + kIdleTimeMax;
        if (taken_ || now < next) continue;
        if (!co_await wait_turn()) continue;  // whoever begins waits while the server stops
        co_await stop_server();
        watches_idle_ = false;
        end_turn();
        co_return;
    }
}

Task<void> ScratchServer::stop() {
    stopping_.set();
    co_await stop_server();  // breaks the exchange of the turn that is on
    while (taken_) (void)co_await free_.wait_until(steady_now() + std::chrono::seconds(1));
    co_await tasks_.join();
    co_await stop_server();
    remove_folder(place_.folder);
}

}  // namespace millrace::runtime
