// Counters, gauges and histograms of this process, exported in Prometheus text form. Any thread.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace millrace::metrics {

using Labels = std::map<std::string, std::string>;

class Counter {
public:
    void add(double amount = 1);
    double value() const;

private:
    friend Counter counter(const std::string&, const std::string&, const Labels&);
    explicit Counter(void* held) : held_(held) {}
    void* held_;
};

class Gauge {
public:
    void set(double value);

private:
    friend Gauge gauge(const std::string&, const std::string&, const Labels&);
    explicit Gauge(void* held) : held_(held) {}
    void* held_;
};

class Histogram {
public:
    void observe(double value);

private:
    friend Histogram histogram(const std::string&, const std::string&, const Labels&);
    explicit Histogram(void* held) : held_(held) {}
    void* held_;
};

// The same name and labels give the same metric; keep the handle, looking it up takes a lock. Names start "millrace_".
Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
// Seconds, in buckets from 0.1 ms to 100 s.
Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {});

std::string prometheus_text();

}  // namespace millrace::metrics
