// How long a node may be silent while it is waited for. A body takes as long as it takes: the time begins anew with each piece of it, and
// stands still while this side is what is waited for.
#pragma once
#include <functional>
#include <memory>

#include "core/clock.h"

namespace millrace::cli {

// How long the other side may take nothing, or give nothing.
inline constexpr auto kSilenceMax = std::chrono::minutes(15);

// Copies share it. The session's executor only.
class Silence {
public:
    explicit Silence(Duration max) : state_(std::make_shared<State>(max)) {}

    Duration max() const { return state_->max; }
    void begin_anew() {
        state_->since = steady_now();
        state_->is_ours = false;
    }
    // Until begin_anew().
    void is_ours() { state_->is_ours = true; }
    // For Call::due.
    std::function<Instant()> due() const {
        return [state = state_] { return (state->is_ours ? steady_now() : state->since) + state->max; };
    }

private:
    struct State {
        explicit State(Duration duration) : max(duration) {}
        const Duration max;
        Instant since = steady_now();
        bool is_ours = false;
    };
    std::shared_ptr<State> state_;
};

}  // namespace millrace::cli
