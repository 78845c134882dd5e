#include "worker/request_counts.h"

#include <array>

namespace millrace::worker {
namespace {

constexpr std::array<const char*, 7> kKindNames{"get", "head", "put", "append", "delete", "rename", "other"};

metrics::Counter bytes_counter(const char* direction) {
    return metrics::counter("millrace_object_bytes_total", "Bytes of contents that clients got and sent", {{"direction", direction}});
}

std::uint64_t whole(const metrics::Counter& counter, double times = 1) { return static_cast<std::uint64_t>(counter.value() * times); }

}  // namespace

RequestCounts::RequestCounts() : sent_bytes_(bytes_counter("sent")), stored_bytes_(bytes_counter("stored")) {
    const auto requests = [](const char* kind, const char* result) {
        return metrics::counter("millrace_object_requests_total", "Requests about objects, by result", {{"request", kind}, {"result", result}});
    };
    for (const char* kind : kKindNames) {
        kinds_.push_back({requests(kind, "ok"), requests(kind, "error"),
                          metrics::counter("millrace_object_request_seconds_total", "Time of requests about objects", {{"request", kind}})});
    }
}

void RequestCounts::ended(Kind kind, bool well, Duration took) const {
    OfKind of = kinds_[static_cast<std::size_t>(kind)];
    (well ? of.ok : of.failed).add();
    of.seconds.add(std::chrono::duration<double>(took).count());
}

nlohmann::json RequestCounts::document() const {
    nlohmann::json document{{"sent_bytes", whole(sent_bytes_)}, {"stored_bytes", whole(stored_bytes_)}};
    for (std::size_t i = 0; i < kKindNames.size(); ++i) {
        document[kKindNames[i]] = {{"ok", whole(kinds_[i].ok)}, {"failed", whole(kinds_[i].failed)}, {"ns", whole(kinds_[i].seconds, 1e9)}};
    }
    return document;
}

}  // namespace millrace::worker
