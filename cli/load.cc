#include "cli/load.h"

#include <algorithm>
#include <cmath>

namespace millrace::cli {
namespace {

struct Load {
    const LoadOptions& options;
    const Operation& operation;
    LoadResult result;
    std::uint64_t next = 0;
    Instant begun{};

    Instant due(std::uint64_t number) const {
        if (options.rate <= 0) return steady_now();
        return begun + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(static_cast<double>(number) / options.rate));
    }

    Task<void> work() {
        while (next < options.count) {
            const std::uint64_t number = next++;
            const Instant planned = due(number);
            if (planned > steady_now()) co_await sleep_until(planned);
            if (std::max(planned, steady_now()) >= begun + options.time_max) co_return;
            auto moved = co_await operation(number);
            record(std::move(moved), steady_now() - planned);
        }
    }

    void record(Result<std::uint64_t> moved, Duration took) {
        if (!moved) {
            ++result.failed;
            if (!result.first_error) result.first_error = std::move(moved.error());
            return;
        }
        ++result.done;
        result.bytes += *moved;
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
        result.latencies_us.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(micros, UINT32_MAX)));
    }
};

}  // namespace

double LoadResult::percentile_ms(double share) {
    if (latencies_us.empty()) return 0;
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(latencies_us.size())));
    const auto place = latencies_us.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
    std::nth_element(latencies_us.begin(), place, latencies_us.end());
    return *place / 1000.0;
}

LoadResult run_load(Session& session, const LoadOptions& options, Operation operation) {
    Load load{.options = options, .operation = operation, .result = {}, .begun = steady_now()};
    const bool ended = session.run([&](TaskGroup& group) {
        load.begun = steady_now();
        for (std::size_t worker = 0; worker < options.concurrency; ++worker) group.spawn(load.work());
    });
    load.result.seconds = std::chrono::duration<double>(steady_now() - load.begun).count();
    load.result.interrupted = !ended;
    return std::move(load.result);
}

}  // namespace millrace::cli
