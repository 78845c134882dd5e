// What clients asked of a target's objects since it started: how often, how it ended, how many bytes, how long it took. Also metrics. Any thread.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"

namespace millrace::worker {

class RequestCounts {
public:
    enum class Kind { get, head, put, append, remove, rename, other };

    RequestCounts();
    void ended(Kind kind, bool well, Duration took) const;
    void sent(std::uint64_t bytes) const { sent_bytes_.add(static_cast<double>(bytes)); }
    void stored(std::uint64_t bytes) const { stored_bytes_.add(static_cast<double>(bytes)); }
    // {"get":{"ok","failed","ns"},…,"sent_bytes","stored_bytes"}
    nlohmann::json document() const;

private:
    struct OfKind {
        metrics::Counter ok, failed, seconds;
    };
    std::vector<OfKind> kinds_;
    mutable metrics::Counter sent_bytes_, stored_bytes_;
};

}  // namespace millrace::worker
