// The workers of one slice on the lanes: each takes objects from the queue, runs them, and leaves the results there. What runs can
// be ended: a worker whose object's context is over is cancelled on its lane, again and again until the attempt has returned, as a
// wait that begins after one cancellation is not ended by it.
//
// Shared: a worker may end after the slice's runner.
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "worker/lanes.h"
#include "worker/run_queue.h"

namespace millrace::worker {

class LaneWorkers : public std::enable_shared_from_this<LaneWorkers> {
public:
    // tell: called on a lane when the control loop is to collect() from the queue.
    LaneWorkers(Lanes& lanes, const ObjectRunner& runner, std::shared_ptr<RunQueue> queue, std::function<void()> tell);

    // Control loop: one more worker on the lane.
    void hire(std::size_t place);
    // Any thread: what runs under a context that is over ends, with whatever failure.
    void end_what_is_over();

private:
    struct Worker {
        boost::asio::cancellation_signal signal;
        std::shared_ptr<const SliceContext> running;  // null between two objects
    };
    struct Crew {                 // of one lane, used there only
        std::list<Worker> workers;
        bool is_cancelling = false;
    };

    static Task<void> work(std::shared_ptr<LaneWorkers> self, std::size_t place, Worker& worker);
    static Task<void> cancel(std::shared_ptr<LaneWorkers> self, std::size_t place);

    Lanes& lanes_;
    const ObjectRunner& runner_;
    const std::shared_ptr<RunQueue> queue_;
    const std::function<void()> tell_;
    std::vector<Crew> crews_;
};

}  // namespace millrace::worker
