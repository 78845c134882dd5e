#include "core/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace millrace::metrics {
namespace {

prometheus::Registry& registry() {
    static prometheus::Registry instance;
    return instance;
}

const prometheus::Histogram::BucketBoundaries kSeconds{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100};

}  // namespace

void Counter::add(double amount) { static_cast<prometheus::Counter*>(held_)->Increment(amount); }
double Counter::value() const { return static_cast<prometheus::Counter*>(held_)->Value(); }
void Gauge::set(double value) { static_cast<prometheus::Gauge*>(held_)->Set(value); }
void Histogram::observe(double value) { static_cast<prometheus::Histogram*>(held_)->Observe(value); }

Counter counter(const std::string& name, const std::string& help, const Labels& labels) {
    return Counter(&prometheus::BuildCounter().Name(name).Help(help).Register(registry()).Add(labels));
}

Gauge gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return Gauge(&prometheus::BuildGauge().Name(name).Help(help).Register(registry()).Add(labels));
}

Histogram histogram(const std::string& name, const std::string& help, const Labels& labels) {
    return Histogram(&prometheus::BuildHistogram().Name(name).Help(help).Register(registry()).Add(labels, kSeconds));
}

std::string prometheus_text() { return prometheus::TextSerializer().Serialize(registry().Collect()); }

}  // namespace millrace::metrics
