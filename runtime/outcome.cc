#include "runtime/outcome.h"

#include "core/units.h"

namespace millrace::runtime {

Failure transform_failure(Code code, std::string text, std::string stderr_tail) {
    return {Blame::transform, {code, std::move(text)}, std::move(stderr_tail)};
}

Failure source_failure(Error error) { return {Blame::source, std::move(error), {}}; }

Failure sink_failure(Error error) { return {Blame::sink, std::move(error), {}}; }

Failure timed_out_failure(const ObjectRun& object, Instant started, std::string stderr_tail) {
    const ObjectClock* const clock = object.clock;
    const Duration limit = clock != nullptr ? clock->allowed() : std::max(object.deadline - started, Duration::zero());
    auto allowed = std::chrono::round<milliseconds>(limit);
    // A deadline was computed a little before the run started.
    if (allowed >= std::chrono::seconds(1)) allowed = std::chrono::round<std::chrono::duration<std::int64_t, std::deci>>(allowed);
    std::string text = "timeout: no result within " + duration_text(allowed);
    if (clock != nullptr) {
        text += ", after " + size_text(clock->bytes_taken()) + " in and " + size_text(clock->bytes_given()) +
                " out; obj_timeout of the transform, or --object-timeout of the job, gives it longer";
    }
    return transform_failure(Code::timed_out, std::move(text), std::move(stderr_tail));
}

Failure stopped_failure(const std::string& name) {
    return transform_failure(Code::unavailable, "transform '" + name + "' is stopped on this target");
}

Error start_failure(const std::string& name, const Error& why) {
    std::string text = "transform '" + name + "': " + why.context;
    if (why.context.starts_with("command not found")) text += "; install it on this target or correct the specification";
    return {why.code, std::move(text)};
}

}  // namespace millrace::runtime
