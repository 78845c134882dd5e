#include "worker/sink_trials.h"

namespace millrace::worker {
namespace {
constexpr std::size_t kSuspectsMax = 16;
}  // namespace

void SinkTrials::took(const std::string& sink, const std::string& life) {
    Sink& state = sinks_[sink];
    if (state.taken > 0 && state.life != life) ++state.lives;
    if (state.life != life) state.life = life;
    ++state.taken;
}

std::uint32_t SinkTrials::failed(std::uint64_t ticket, const std::string& sink, bool is_last, bool never_fitted) {
    const Sink& state = sinks_[sink];
    const auto known = trials_.find(ticket);
    if (known == trials_.end() || known->second.sink != sink || known->second.lives != state.lives) {
        trials_[ticket] = {sink, state.lives, state.taken, state.taken};
        return 1;
    }
    Trial& trial = known->second;
    ++trial.failures;
    if (state.taken > trial.latest || (is_last && (state.taken > trial.first || never_fitted))) ++trial.own_doing;
    trial.latest = state.taken;
    return trials_.size() <= kSuspectsMax ? trial.own_doing : 1;
}

bool SinkTrials::runs_alone(std::uint64_t ticket) const {
    const auto trial = trials_.find(ticket);
    return trial != trials_.end() && trial->second.failures > 1;
}

bool SinkTrials::is_due(std::uint64_t ticket) const {
    const auto trial = trials_.find(ticket);
    if (trial == trials_.end()) return true;
    const auto sink = sinks_.find(trial->second.sink);
    return sink != sinks_.end() && sink->second.taken > trial->second.latest;
}

}  // namespace millrace::worker
