// Objects whose results a sink (this target, or another one) did not take, and whether that is their own doing. It is the sink's, for all
// that is known, while it takes nothing of anybody. It is the object's when it fails there again and again, alone, and in between the
// same sink, in the same life, takes results of others. So each trial waits until another result has been taken.
//
// Many that fail at once say something about the sink, not about them. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace millrace::worker {

class SinkTrials {
public:
    // A result was taken by this life (boot id) of the sink.
    void took(const std::string& sink, const std::string& life);
    // Of this object none was. How often that was its own doing, as it seems, this time included. is_last: nothing else is left to
    // compare it with, so what was taken since its first failure must do; or, where it was found not to fit in an earlier pass, nothing.
    std::uint32_t failed(std::uint64_t ticket, const std::string& sink, bool is_last, bool never_fitted = false);
    void forget(std::uint64_t ticket) { trials_.erase(ticket); }
    void clear() { trials_.clear(); }

    // After more than one failure.
    bool runs_alone(std::uint64_t ticket) const;
    // Another trial would tell something.
    bool is_due(std::uint64_t ticket) const;

private:
    struct Sink {
        std::string life;
        std::uint64_t lives = 0;
        std::uint64_t taken = 0;
    };
    struct Trial {
        std::string sink;
        std::uint64_t lives = 0;   // of the sink, at the first failure
        std::uint64_t first = 0;   // taken until then
        std::uint64_t latest = 0;  // and until the latest
        std::uint32_t failures = 1;   // all of them
        std::uint32_t own_doing = 1;
    };
    std::map<std::string, Sink> sinks_;
    std::map<std::uint64_t, Trial> trials_;
};

}  // namespace millrace::worker
