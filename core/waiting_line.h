// Those who wait for something of which there is not enough: first come, first served.
//
// One executor (one thread) only.
#pragma once
#include <functional>
#include <list>

#include "core/task.h"

namespace millrace {

class WaitingLine {
public:
    explicit WaitingLine(Executor executor) : executor_(std::move(executor)) {}

    // True when is_free() said so and all who came before have had their turn: take it at once, before any other wait. False
    // when the deadline passed, or the task was cancelled; the task must not throw then.
    Task<bool> wait(std::function<bool()> is_free, Instant deadline);
    // What is_free() looks at has changed.
    void look_again() {
        if (!waiting_.empty()) waiting_.front()->set();
    }
    std::size_t size() const { return waiting_.size(); }

private:
    Executor executor_;
    std::list<Event*> waiting_;  // each lives in the frame of a wait
};

}  // namespace millrace
