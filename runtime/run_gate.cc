#include "runtime/run_gate.h"

namespace millrace::runtime {

std::optional<RunGate::Pass> RunGate::enter() {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) return std::nullopt;
    ++state_->inside;
    return std::optional<Pass>(std::in_place, state_);
}

void RunGate::close() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
}

bool RunGate::is_closed() const {
    const std::lock_guard lock(state_->mutex);
    return state_->closed;
}

RunGate::Pass::~Pass() {
    if (!state_) return;
    {
        const std::lock_guard lock(state_->mutex);
        --state_->inside;
    }
    state_->changes.notify();
}

Task<void> RunGate::wait_empty() {
    const std::shared_ptr<State> state = state_;
    for (;;) {
        const std::uint64_t seen = state->changes.version();
        {
            const std::lock_guard lock(state->mutex);
            if (state->inside == 0) co_return;
        }
        co_await state->changes.wait(seen, steady_now() + std::chrono::seconds(1));
    }
}

}  // namespace millrace::runtime
