// Carries out together what several tasks of a loop ask for at nearly the same time, where that costs less than one by one. Requests wait
// for others while each turn of the loop brings some, a few turns at most: the loop polls, it never sleeps meanwhile.
#pragma once
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <span>
#include <utility>
#include <vector>

#include "core/task.h"

namespace millrace {

template <class Request>
using CarryOut = void (*)(std::span<Request* const> requests);

// The requests of one loop, used on its thread only.
template <class Request, CarryOut<Request> carry_out>
class GatheredRequests final : public boost::asio::execution_context::service {
public:
    using key_type = GatheredRequests;
    using Done = boost::asio::any_completion_handler<void()>;
    static inline boost::asio::execution_context::id id;

    explicit GatheredRequests(boost::asio::execution_context& loop)
        : service(loop), executor_(static_cast<boost::asio::io_context&>(loop).get_executor()) {}

    void add(Request& request, Done done) {
        requests_.push_back(&request);
        waiting_.push_back(std::move(done));
        if (requests_.size() == 1) after_this_turn();
    }

private:
    // The tasks that wait are destroyed with their loop.
    void shutdown() noexcept override { waiting_.clear(); }

    void carry_out_all() {
        if (requests_.size() > seen_ && turns_ < kTurnsMax) {
            seen_ = requests_.size();
            ++turns_;
            return after_this_turn();
        }
        seen_ = 0;
        turns_ = 0;
        const std::vector<Request*> requests = std::exchange(requests_, {});
        std::vector<Done> waiting = std::exchange(waiting_, {});
        carry_out(requests);
        for (Done& done : waiting) std::move(done)();
    }

    void after_this_turn() {
        boost::asio::post(executor_, [this] { carry_out_all(); });
    }

    const boost::asio::io_context::executor_type executor_;
    std::vector<Request*> requests_;  // bounded by the tasks of the loop
    std::vector<Done> waiting_;       // as many
    std::size_t seen_ = 0;            // requests at the last look
    int turns_ = 0;                   // waited
    static constexpr int kTurnsMax = 4;
};

// Returns when the request was carried out; a cancellation does not end the wait. Beside a Loop it is carried out at once, alone.
template <auto carry_out, class Request>
Task<void> gather(Request& request) {
    const Executor here = co_await boost::asio::this_coro::executor;
    const auto* const loop = here.target<boost::asio::io_context::executor_type>();
    if (loop == nullptr) {
        Request* const alone = &request;
        carry_out(std::span(&alone, 1));
        co_return;
    }
    auto& requests = boost::asio::use_service<GatheredRequests<Request, carry_out>>(loop->context());
    const auto begin = [&](auto done) { requests.add(request, std::move(done)); };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(begin, boost::asio::use_awaitable);
}

}  // namespace millrace
