// What a slice tells the proxy, and when: on every change (throttled), and again until acknowledged. Pure.
#pragma once
#include <optional>
#include <string>

#include "core/clock.h"
#include "wire/messages.h"

namespace millrace::worker {

class SliceReporter {
public:
    SliceReporter(std::string job, std::uint64_t incarnation);

    // The status to send now, if one is due. `current` needs no incarnation and seq.
    std::optional<wire::SliceStatus> due(const wire::SliceStatus& current, Instant now);
    void acknowledged(const wire::StatusAck& ack);
    // The proxy may know nothing (it or the connection started anew): the status is due again.
    void start_over();
    // When due() should be asked again without a change.
    Instant next_wakeup() const;

private:
    const std::string job_;
    const std::uint64_t incarnation_;
    std::uint64_t seq_ = 0;
    std::uint64_t acknowledged_seq_ = 0;
    wire::SliceStatus last_;
    bool owed_ = true;  // the proxy may know nothing
    bool throttled_ = false;
    Instant last_sent_{};
};

// What to do with a directive, given the order a target has for that job.
enum class DirectiveAction {
    acknowledge,   // known already, or older: acknowledge what is known
    adopt,         // newer: write it down, carry it out, acknowledge
    ask_for_spec,  // a job that this target has never heard of
    forget,        // remove everything about the job
    contradict,    // another order has this number, from before the copy of its folder that the proxy runs from: acknowledge a greater one,
                   // and the proxy tells it again beyond that
};
struct KnownOrder {
    std::uint64_t revision = 0;
    wire::Desired desired = wire::Desired::prepare;
    std::uint64_t epoch = 1;
};
DirectiveAction judge_directive(const wire::Directive& directive, const std::optional<KnownOrder>& known);

}  // namespace millrace::worker
