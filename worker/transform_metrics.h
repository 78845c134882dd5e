// What is counted of a transform on this target, in the metrics of the node. Any thread.
#pragma once
#include <string>

#include "core/metrics.h"
#include "runtime/instance.h"

namespace millrace::worker {

class TransformMetrics {
public:
    explicit TransformMetrics(const std::string& transform);

    // After one object, inline or of a job.
    void count(const runtime::RunResult& result, Duration took);
    // Of its server now.
    void measure(const runtime::ServerUsage& usage);

private:
    metrics::Counter good_;
    metrics::Counter failed_;
    metrics::Counter bytes_in_;
    metrics::Counter bytes_out_;
    metrics::Histogram seconds_;
    metrics::Gauge cpu_seconds_;
    metrics::Gauge memory_bytes_;
};

}  // namespace millrace::worker
