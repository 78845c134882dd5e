// The slices of this target: takes directives, writes orders down before it carries them out, and shares out the places to
// run. Lives on the control loop.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "wire/codec.h"
#include "worker/list_assembly.h"
#include "worker/slice_runner.h"

namespace millrace::worker {

class SliceTable {
public:
    SliceTable(SliceEnvironment environment, std::function<void(const wire::Message&)> send);
    ~SliceTable();  // requires stop()

    // Continues what was written down. A damaged record names itself and stops only its own slice.
    Result<void> restore();
    Task<void> receive(wire::Directive directive);
    void receive(const wire::StatusAck& ack);
    // The folder is a copy that was accepted: what its orders say may be long over, so nothing of them runs before it is ordered anew. Durable.
    Result<void> hold();
    // Until then no slice runs: this process may have started from the wrong folder, and only the proxy knows.
    void release();
    // The proxy may know nothing: everything is reported again.
    void report_all();
    // A transform or the cluster changed.
    void kick_all();
    std::uint32_t running() const;
    // No object is started any more, and what runs is cancelled.
    void begin_stop();
    Task<void> stop();

private:
    Task<Result<void>> adopt(wire::Directive directive);
    Task<void> forget(const JobId& job);
    void look_at_claim(SliceRunner& runner);
    void share_places();
    void share_places_once();
    void drop_old_fences();

    SliceEnvironment environment_;
    std::function<void(const wire::Message&)> send_;
    std::map<JobId, std::unique_ptr<SliceRunner>> runners_;
    std::map<SliceRunner::Arrival, SliceRunner*> line_;  // those that have a place, or want one
    std::map<JobId, Error> damaged_;  // slices whose records cannot be read
    std::set<JobId> forgetting_;
    std::set<JobId> adopting_;
    ListAssembly lists_;
    bool sharing_ = false;
    bool share_again_ = false;
    std::uint32_t forgotten_ = 0;
    std::uint64_t arrivals_ = 0;
    bool released_ = false;
};

}  // namespace millrace::worker
