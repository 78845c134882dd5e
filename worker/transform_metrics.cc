#include "worker/transform_metrics.h"

namespace millrace::worker {
namespace {

metrics::Counter objects(const std::string& transform, const char* result) {
    const metrics::Labels labels{{"transform", transform}, {"result", result}};
    return metrics::counter("millrace_transform_objects_total", "Objects that went through a transform, by result", labels);
}

metrics::Counter bytes(const std::string& transform, const char* direction) {
    return metrics::counter("millrace_transform_bytes_total", "Bytes into and out of a transform", {{"transform", transform}, {"direction", direction}});
}

}  // namespace

TransformMetrics::TransformMetrics(const std::string& transform)
    : good_(objects(transform, "ok")), failed_(objects(transform, "error")), bytes_in_(bytes(transform, "in")), bytes_out_(bytes(transform, "out")),
      seconds_(metrics::histogram("millrace_transform_seconds", "Time of an object in a transform", {{"transform", transform}})),
      cpu_seconds_(metrics::gauge("millrace_transform_cpu_seconds", "Processor time of a transform's server since it was started", {{"transform", transform}})),
      memory_bytes_(metrics::gauge("millrace_transform_memory_bytes", "Memory of a transform's server", {{"transform", transform}})) {}

void TransformMetrics::count(const runtime::RunResult& result, Duration took) {
    seconds_.observe(std::chrono::duration<double>(took).count());
    if (!result.has_value()) return failed_.add();
    good_.add();
    bytes_in_.add(static_cast<double>(result->bytes_in));
    bytes_out_.add(static_cast<double>(result->bytes_out));
}

void TransformMetrics::measure(const runtime::ServerUsage& usage) {
    cpu_seconds_.set(usage.cpu_seconds);
    memory_bytes_.set(static_cast<double>(usage.memory_bytes));
}

}  // namespace millrace::worker
