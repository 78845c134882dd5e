// A load on a cluster: one operation again and again, many at once, as fast as answers come or at a fixed rate; and what came of it.
//
// At a fixed rate the time of an operation counts from when it was due, not from when there was room to begin it: a cluster that stalls
// is charged for everything that should have happened meanwhile.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "cli/session.h"

namespace millrace::cli {

struct LoadOptions {
    std::uint64_t count = 0;        // operations at most
    Duration time_max{};            // none is begun later
    std::size_t concurrency = 16;   // under way at once
    double rate = 0;                // per second; 0: the next begins when one ends
};

struct LoadResult {
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    std::uint64_t bytes = 0;
    double seconds = 0;
    std::vector<std::uint32_t> latencies_us;  // of those that were done
    std::optional<Error> first_error;
    bool interrupted = false;

    // Of the latencies, in milliseconds; 0 without any. share: 0.5 is the median, 1 the largest.
    double percentile_ms(double share);
};

// Carries out the Nth operation; the bytes it moved.
using Operation = std::function<Task<Result<std::uint64_t>>(std::uint64_t number)>;

// Blocking; from the command's main thread. SIGINT ends it, with what came of it until then.
LoadResult run_load(Session& session, const LoadOptions& options, Operation operation);

}  // namespace millrace::cli
