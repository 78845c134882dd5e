#include "worker/slice_reporter.h"

#include <algorithm>

namespace millrace::worker {
namespace {
constexpr auto kThrottle = milliseconds(200);
constexpr auto kResend = milliseconds(1000);

bool same_standing(const wire::SliceStatus& a, const wire::SliceStatus& b) {
    return a.state == b.state && a.revision == b.revision && a.reason == b.reason && a.total_known == b.total_known;
}

bool same(const wire::SliceStatus& a, const wire::SliceStatus& b) {
    return same_standing(a, b) && a.counters == b.counters && a.total_objects == b.total_objects && a.total_bytes == b.total_bytes &&
           a.total_unmapped == b.total_unmapped && a.checkpoint_bytes == b.checkpoint_bytes &&
           a.failures_forgiven == b.failures_forgiven && a.outputs_lost == b.outputs_lost;
}
}  // namespace

SliceReporter::SliceReporter(std::string job, std::uint64_t incarnation) : job_(std::move(job)), incarnation_(incarnation) {}

std::optional<wire::SliceStatus> SliceReporter::due(const wire::SliceStatus& current, Instant now) {
    const bool changed = owed_ || !same(current, last_);
    const bool urgent = owed_ || !same_standing(current, last_);
    throttled_ = changed && !urgent && now - last_sent_ < kThrottle;
    const bool resend = seq_ > acknowledged_seq_ && now - last_sent_ >= kResend;
    if (throttled_ || (!changed && !resend)) return std::nullopt;
    last_ = current;
    last_.job = job_;
    last_.incarnation = incarnation_;
    last_.seq = ++seq_;
    last_sent_ = now;
    owed_ = false;
    return last_;
}

void SliceReporter::acknowledged(const wire::StatusAck& ack) {
    if (ack.incarnation == incarnation_ && ack.seq > acknowledged_seq_) acknowledged_seq_ = std::min(ack.seq, seq_);
}

void SliceReporter::start_over() { owed_ = true; }

Instant SliceReporter::next_wakeup() const {
    if (throttled_) return last_sent_ + kThrottle;
    return seq_ > acknowledged_seq_ ? last_sent_ + kResend : Instant::max();
}

DirectiveAction judge_directive(const wire::Directive& directive, const std::optional<KnownOrder>& known) {
    const bool forgets = directive.desired == wire::Desired::forget;
    if (known && directive.revision == known->revision && !forgets) {
        const bool is_same = directive.desired == known->desired && directive.epoch == known->epoch;
        return is_same ? DirectiveAction::acknowledge : DirectiveAction::contradict;
    }
    if (known && directive.revision <= known->revision) return DirectiveAction::acknowledge;
    if (forgets) return DirectiveAction::forget;
    if (!known && !directive.has_spec) return DirectiveAction::ask_for_spec;
    return DirectiveAction::adopt;
}

}  // namespace millrace::worker
