#include "worker/lane_workers.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

namespace millrace::worker {
namespace asio = boost::asio;
namespace {

constexpr auto kCancelAgain = milliseconds(50);

std::expected<ExecutionResult, Failure> not_begun() {
    return std::unexpected(Failure{Blame::sink, fail(Code::cancelled, "the slice was paused or stopped"), {}});
}

}  // namespace

LaneWorkers::LaneWorkers(Lanes& lanes, const ObjectRunner& runner, std::shared_ptr<RunQueue> queue, std::function<void()> tell)
    : lanes_(lanes), runner_(runner), queue_(std::move(queue)), tell_(std::move(tell)), crews_(lanes.size()) {}

void LaneWorkers::hire(std::size_t place) {
    lanes_.at(place).loop.post([self = shared_from_this(), place] {
        std::list<Worker>& workers = self->crews_[place].workers;
        workers.emplace_back();
        const auto worker = std::prev(workers.end());
        const auto ended = [self, place, worker](std::exception_ptr failure) {
            self->crews_[place].workers.erase(worker);
            if (failure) std::rethrow_exception(failure);
        };
        asio::co_spawn(self->lanes_.at(place).loop.executor(), work(self, place, *worker),
                       asio::bind_cancellation_slot(worker->signal.slot(), ended));
    });
}

Task<void> LaneWorkers::work(std::shared_ptr<LaneWorkers> self, std::size_t place, Worker& worker) {
    // An attempt that is cancelled ends by itself, in order: what it has begun has to be given up with further waits.
    co_await asio::this_coro::throw_if_cancelled(false);
    Lane& lane = self->lanes_.at(place);
    while (auto object = self->queue_->next(place)) {
        const std::atomic<bool>& over = *object->context->over;
        const std::shared_ptr<const SliceContext> context = object->context;
        worker.running = context;
        auto result = over ? not_begun() : co_await self->runner_.run(*object->context, lane, std::move(object->dispatch.name), object->dispatch.isolated);
        worker.running.reset();
        const bool interrupted = !result && over;
        if (self->queue_->completed({object->dispatch.ticket, std::move(result), interrupted, context})) self->tell_();
        if (over) co_await asio::this_coro::reset_cancellation_state();  // what was cancelled was the attempt
        co_await next_turn();  // the lane's other objects get their turn
    }
}

void LaneWorkers::end_what_is_over() {
    for (std::size_t place = 0; place < lanes_.size(); ++place) {
        lanes_.at(place).loop.post([self = shared_from_this(), place] {
            Crew& crew = self->crews_[place];
            if (crew.is_cancelling) return;  // it sees this one, too
            crew.is_cancelling = true;
            asio::co_spawn(self->lanes_.at(place).loop.executor(), cancel(self, place), asio::detached);
        });
    }
}

Task<void> LaneWorkers::cancel(std::shared_ptr<LaneWorkers> self, std::size_t place) {
    Crew& crew = self->crews_[place];
    for (;;) {
        bool is_ended = true;
        for (auto worker = crew.workers.begin(); worker != crew.workers.end();) {
            Worker& here = *worker++;
            if (!here.running || !*here.running->over) continue;
            is_ended = false;
            here.signal.emit(asio::cancellation_type::terminal);
        }
        if (is_ended) break;
        co_await sleep_for(kCancelAgain);
    }
    crew.is_cancelling = false;
}

}  // namespace millrace::worker
