#include "scheduler/job_service.h"

#include <set>

#include "core/ids.h"
#include "core/log.h"
#include "scheduler/job_machine.h"
#include "scheduler/proxy_records.h"

namespace millrace::scheduler {
namespace {
constexpr auto kAcceptPatience = std::chrono::seconds(3);
}  // namespace

Task<Result<void>> JobService::restore() {
    MILLRACE_CO_TRY_ASSIGN(const auto records, co_await store_.list(kJobPrefix));
    std::set<std::string> listed;
    for (const auto& [id, bytes] : records) {
        MILLRACE_CO_TRY_ASSIGN(Job job, decode<Job>(kJobPrefix + id, bytes));
        std::vector<TargetId> targets;
        for (const auto& [target, slice] : job.slices) targets.emplace_back(target);
        const Placement placement(0, std::move(targets));  // as it was when the job was submitted
        ObjectList list;
        if (job.spec.has_list) {
            const std::string key = kListPrefix + id;
            MILLRACE_CO_TRY_ASSIGN(const std::optional<std::string> record, co_await store_.get(key));
            if (record) {
                MILLRACE_CO_TRY_ASSIGN(list, decode<ObjectList>(key, *record));
            }
            listed.insert(id);
        }
        state_.jobs.restore(std::move(job), ListedObjects(std::move(list.objects), placement, list_part_bytes_max_));
    }
    MILLRACE_CO_TRY_ASSIGN(const auto lists, co_await store_.keys(kListPrefix));
    state::MetadataCommit useless;
    for (const std::string& id : lists) {
        if (!listed.contains(id)) useless.changes[kListPrefix + id] = std::nullopt;
    }
    if (!useless.changes.empty()) MILLRACE_CO_TRY(co_await store_.commit(std::move(useless)));
    if (!records.empty()) log::info("jobs restored", {{"jobs", records.size()}});
    state_.check_jobs(steady_now(), unix_now_ns());
    co_return Result<void>{};
}

Task<Result<std::string>> JobService::submit(JobRequest request, std::string idempotency_key) {
    MILLRACE_CO_TRY(state_.check_leads());
    const std::string id = random_id("job-");
    if (!request.spec.has_list) {
        ListedObjects none;
        co_return co_await accept(std::move(request), std::move(idempotency_key), id, std::move(none));
    }
    // Before the job, which is not there until its own record is: a list that nobody needs goes below, or at the next start.
    MILLRACE_CO_TRY(state_.check_has_targets());
    struct Prepared {
        std::string record;
        ListedObjects objects;
    };
    auto prepare = [this, names = std::exchange(request.objects, {}), placement = state_.placement()]() mutable {
        ObjectList list{std::move(names)};
        std::string record = encode(list);
        return Prepared{std::move(record), ListedObjects(std::move(list.objects), placement, list_part_bytes_max_)};
    };
    Prepared prepared = co_await aside_.run(std::move(prepare));
    const std::string key = kListPrefix + id;
    state::MetadataCommit commit{.changes = {{key, std::move(prepared.record)}}};
    MILLRACE_CO_TRY(co_await store_.commit(std::move(commit)));
    Result<std::string> accepted = co_await accept(std::move(request), std::move(idempotency_key), id, std::move(prepared.objects));
    if (!accepted || *accepted != id) {
        state::MetadataCommit useless{.changes = {{key, std::nullopt}}};
        (void)co_await store_.commit(std::move(useless));
    }
    co_return accepted;
}

Task<Result<std::string>> JobService::accept(JobRequest request, std::string idempotency_key, std::string id, ListedObjects objects) {
    for (;;) {
        auto turn = [&] { return accept_in_turn(request, idempotency_key, id, objects); };
        MILLRACE_CO_TRY_ASSIGN(const Accepted accepted, co_await control_.in_turn(std::move(turn)));
        if (accepted) {
            if (*accepted == id) co_await wait_until_accepted(id);
            co_return *accepted;
        }
        const wire::BucketEntry* source = state_.catalog.bucket(request.spec.source);
        if (source == nullptr) co_return unknown_bucket(request.spec.source);
        const Result<void> created = co_await catalog_.create_bucket(request.spec.destination, source->small_object_bytes_max);
        if (!created && created.error().code != Code::already_exists) co_return created.error();
        // Others went on meanwhile: look at everything again, now that the bucket exists.
    }
}

Task<Result<JobService::Accepted>> JobService::accept_in_turn(const JobRequest& request, const std::string& idempotency_key, const std::string& id,
                                                              ListedObjects& objects) {
    MILLRACE_CO_TRY(state_.check_leads());
    if (!idempotency_key.empty()) {
        if (const auto earlier = state_.jobs.job_of_key(idempotency_key)) {
            const LiveJob* live = state_.jobs.find(*earlier);
            if (live != nullptr && live->job.request_json == request.json && live->objects.names() == objects.names()) co_return Accepted(*earlier);
            co_return fail(Code::conflict, "idempotency key '" + idempotency_key + "' was used for another request, job " + *earlier);
        }
    }
    const std::vector<std::string> transforms = request.spec.transforms();
    for (const std::string& transform : transforms) {
        if (state_.catalog.transform(transform) == nullptr) co_return unknown_transform(transform);
    }
    if (state_.catalog.bucket(request.spec.source) == nullptr) co_return unknown_bucket(request.spec.source);
    MILLRACE_CO_TRY(state_.check_has_targets());
    if (request.spec.writes() && state_.catalog.bucket(request.spec.destination) == nullptr) co_return Accepted();
    MILLRACE_CO_TRY_ASSIGN(wire::Pins pins, pins_of(request.spec, state_.catalog));
    Job job{.id = id, .spec = request.spec, .request_json = request.json, .idempotency_key = idempotency_key, .created_unix_ns = unix_now_ns()};
    job.pins.push_back({job.epoch, std::move(pins)});
    for (const std::string& target : state_.targets()) job.slices[target] = {};
    MILLRACE_CO_TRY(co_await records_.write_new_job(job));
    state_.jobs.submit(std::move(job), std::move(objects), steady_now());
    (void)co_await control_.flush();
    co_return Accepted(id);
}

// What its client stores from now on is not part of the job.
Task<void> JobService::wait_until_accepted(std::string job) {
    const Instant deadline = steady_now() + kAcceptPatience;
    while (state_.jobs.is_being_accepted(job) && steady_now() < deadline) co_await control_.wait_for_change(deadline);
}

Task<Result<void>> JobService::start_again(std::string id, Again how, bool with_current) {
    auto change = [this, how, with_current](Job& job) { return scheduler::start_again(job, how, with_current, state_.catalog, unix_now_ns()); };
    return command(std::move(id), std::move(change));
}

Task<Result<void>> JobService::command(std::string id, Scheduler::Command change) {
    auto turn = [&] { return command_in_turn(id, change); };
    co_return co_await control_.in_turn(std::move(turn));
}

Task<Result<void>> JobService::command_in_turn(const std::string& id, const Scheduler::Command& change) {
    MILLRACE_CO_TRY(state_.check_leads());
    MILLRACE_CO_TRY_ASSIGN(Job job, state_.jobs.commanded(id, change, steady_now(), unix_now_ns()));
    MILLRACE_CO_TRY(co_await records_.write_job(job));
    state_.jobs.take(std::move(job), steady_now());
    (void)co_await control_.flush();
    co_return Result<void>{};
}

Task<Result<void>> JobService::remove(std::string id) {
    auto turn = [&] { return remove_in_turn(id); };
    co_return co_await control_.in_turn(std::move(turn));
}

Task<Result<void>> JobService::remove_in_turn(const std::string& id) {
    MILLRACE_CO_TRY(state_.check_leads());
    MILLRACE_CO_TRY(state_.jobs.check_removable(id));
    std::vector<std::string> one{id};
    co_return co_await erase(std::move(one));
}

Task<Result<std::size_t>> JobService::remove_older_than(milliseconds age) {
    auto turn = [&] { return remove_older_in_turn(age); };
    co_return co_await control_.in_turn(std::move(turn));
}

Task<Result<std::size_t>> JobService::remove_older_in_turn(milliseconds age) {
    MILLRACE_CO_TRY(state_.check_leads());
    const std::int64_t before = unix_now_ns() - std::chrono::nanoseconds(age).count();
    std::vector<std::string> old;
    for (const auto& [id, live] : state_.jobs.jobs()) {
        if (is_terminal(live.job.state) && live.job.finished_unix_ns < before) old.push_back(id);
    }
    const std::size_t count = old.size();
    if (count == 0) co_return count;
    MILLRACE_CO_TRY(co_await erase(std::move(old)));
    co_return count;
}

Task<Result<void>> JobService::erase(std::vector<std::string> ids) {
    MILLRACE_CO_TRY(co_await records_.erase_jobs(ids));
    for (const std::string& id : ids) state_.jobs.remove(id);
    (void)co_await control_.flush();
    co_return Result<void>{};
}

}  // namespace millrace::scheduler
