#include "core/waiting_line.h"

#include <boost/asio/this_coro.hpp>

namespace millrace {
namespace asio = boost::asio;

Task<bool> WaitingLine::wait(std::function<bool()> is_free, Instant deadline) {
    Event turn(executor_);
    const auto self = waiting_.insert(waiting_.end(), &turn);
    bool has_turn = false;
    for (;;) {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) break;
        has_turn = self == waiting_.begin() && is_free();
        if (has_turn || steady_now() >= deadline) break;
        turn.clear();
        (void)co_await turn.wait_until(deadline);
    }
    waiting_.erase(self);
    look_again();
    co_return has_turn;
}

}  // namespace millrace
