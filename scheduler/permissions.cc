#include "scheduler/permissions.h"

namespace millrace::scheduler {

using auth::Right;

Result<void> check_run(const auth::Caller& caller, const wire::JobSpec& job) {
    if (job.operation == wire::Operation::remove) return caller.check(Right::write, job.source);
    MILLRACE_TRY(caller.check(Right::run, job.source));
    return job.writes() ? caller.check(Right::write, job.destination) : Result<void>();
}

Result<void> check_seen(const auth::Caller& caller, const wire::JobSpec& job) {
    const Result<void> by_source = caller.check(Right::read, job.source);
    if (by_source || caller.check(Right::run, job.source)) return {};
    return !job.destination.empty() && caller.check(Right::read, job.destination) ? Result<void>() : by_source;
}

Result<void> check_transform(const auth::Caller& caller, const spec::TransformSpec& transform) {
    MILLRACE_TRY(caller.check_somewhere(Right::run));
    if (transform.kind == spec::Kind::oci) return {};
    MILLRACE_TRY(caller.check_somewhere(Right::command));
    const spec::SandboxSpec& sandbox = transform.sandbox;
    const bool is_wider = wants_no_sandbox(transform) || sandbox.network || !sandbox.read.empty() || !sandbox.write.empty();
    return is_wider ? caller.check_somewhere(Right::unconfined) : Result<void>();
}

}  // namespace millrace::scheduler
