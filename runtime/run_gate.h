// Lets runs in until it is closed, and tells when the last of them is out. Any thread.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/broadcast.h"

namespace millrace::runtime {

class RunGate {
    struct State {
        std::mutex mutex;
        std::size_t inside = 0;  // guarded by mutex
        bool closed = false;     // guarded by mutex
        Broadcast changes;
    };

public:
    // Held for as long as a run lasts. Shares the state: the gate's owner may go away as soon as the last one is out.
    class Pass {
    public:
        explicit Pass(std::shared_ptr<State> state) : state_(std::move(state)) {}
        Pass(Pass&& other) noexcept = default;
        Pass& operator=(Pass&&) = delete;
        ~Pass();

    private:
        std::shared_ptr<State> state_;
    };

    // nullopt once the gate is closed.
    std::optional<Pass> enter();
    void close();
    // Requires close(). Every run has a deadline, and so has this wait.
    Task<void> wait_empty();
    bool is_closed() const;

private:
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace millrace::runtime
