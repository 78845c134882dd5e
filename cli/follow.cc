#include "cli/follow.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <ostream>
#include <vector>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/progress_display.h"
#include "cli/server_events.h"
#include "cli/session.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

// One following; every member is used on the session's executor, and read elsewhere once all tasks have ended.
class Follower {
public:
    Follower(Context& context, std::string job_id, const FollowOptions& options)
        : context_(context),
          job_id_(std::move(job_id)),
          options_(options),
          display_(context.console, options.show_progress, options.line_interval),
          deadline_(options.time_max ? steady_now() + *options.time_max : Instant::max()),
          ended_(context.session.executor()) {}

    Task<void> follow() {
        result_ = co_await follow_to_end();
        ended_.set();
    }

    // The progress line is due even while no event comes.
    Task<void> tick() {
        while (!co_await ended_.wait_until(steady_now() + options_.line_interval)) display_.tick(steady_now());
    }

    Result<Followed> take_result(bool finished) {
        display_.end();
        if (finished) return std::move(result_);
        return Followed{Followed::End::interrupted, std::move(job_)};
    }

private:
    Task<Result<Followed>> follow_to_end() {
        Duration pause = options_.pause_min;
        Instant heard_at = steady_now();
        for (;;) {
            auto asked = co_await ask();
            Result<void> streamed;
            if (asked) {
                heard_at = steady_now();
                if (!is_terminal(job_)) streamed = co_await stream();
                if (is_terminal(job_)) co_return Followed{Followed::End::terminal, std::move(job_)};
            }
            const auto interrupted = co_await boost::asio::this_coro::cancellation_state;
            if (interrupted.cancelled() != boost::asio::cancellation_type::none) co_return fail(Code::cancelled, "interrupted");
            if (!asked) {
                if (!may_pass(asked.error()) && !past_deadline()) co_return asked.error();
                const Duration silence_max = is_known() ? options_.silence_max : options_.first_word_max;
                if (!options_.time_max && steady_now() - heard_at > silence_max) co_return asked.error();
                say_once("lost the cluster (" + asked.error().context + "); trying to reach it again" + (is_known() ? ", " + job_id_ + " goes on" : ""));
            } else if (!streamed) {
                say_once("lost the events of " + job_id_ + " (" + streamed.error().context + "); asking for its state until they are back");
            } else {
                pause = options_.pause_min;
            }
            if (past_deadline()) co_return Followed{Followed::End::timed_out, std::move(job_)};
            co_await sleep_until(std::min(deadline_, steady_now() + pause));
            // The job's end should not be noticed late just because there are no events.
            pause = std::min<Duration>(pause * 2, asked ? std::chrono::seconds(1) : options_.pause_max);
        }
    }

    bool is_known() const { return options_.is_known || !job_.is_null(); }
    // What a proxy that ends or begins says, or whoever stands before it, is not about a job that it has spoken of.
    bool may_pass(const Error& error) const {
        const bool is_about_job = error.code == Code::not_found || error.code == Code::invalid_argument || error.code == Code::permission;
        return retryable(error.code) || (is_known() && !is_about_job);
    }

    bool past_deadline() const { return steady_now() >= deadline_; }
    Duration bounded(Duration time_max) const {
        return std::max<Duration>(std::min<Duration>(time_max, deadline_ - steady_now()), milliseconds(1));
    }

    Task<Result<void>> ask() {
        Call call;
        call.target = "/v1/jobs/" + percent_encode(job_id_);
        call.time_max = bounded(std::chrono::seconds(10));
        MILLRACE_CO_TRY_ASSIGN(const http::Reply reply, co_await context_.session.fetch(std::move(call)));
        MILLRACE_CO_TRY_ASSIGN(json job, parse_json(reply.body));
        take(std::move(job));
        co_return Result<void>{};
    }

    // Until the job is terminal, the stream ends or has lasted long enough; those are successes.
    Task<Result<void>> stream() {
        Call call;
        call.target = "/v1/jobs/" + percent_encode(job_id_) + "/events";
        call.headers = {{"Accept", "text/event-stream"}};
        call.time_max = bounded(options_.stream_max);
        MILLRACE_CO_TRY_ASSIGN(OpenExchange open, co_await context_.session.open(std::move(call)));
        MILLRACE_CO_TRY(co_await check_status(*open.exchange));
        ServerEventParser parser(kReplyBytesMax);
        std::vector<std::byte> chunk(64 << 10);
        while (!is_terminal(job_)) {
            auto count = co_await open.exchange->read(chunk);
            if (!count && count.error().code == Code::timed_out) co_return Result<void>{};
            if (!count) co_return count.error();
            if (*count == 0) co_return Result<void>{};
            const std::string_view bytes(reinterpret_cast<const char*>(chunk.data()), *count);
            MILLRACE_CO_TRY_ASSIGN(const std::vector<ServerEvent> events, parser.feed(bytes));
            for (const ServerEvent& event : events) {
                if (event.name != "job") continue;
                MILLRACE_CO_TRY_ASSIGN(json job, parse_json(event.data));
                take(std::move(job));
            }
        }
        co_return Result<void>{};
    }

    void take(json job) {
        if (!job.is_object()) return;
        job_ = std::move(job);
        display_.update(job_, steady_now());
        if (!warned_) {
            const std::string warning = early_warning(job_);
            if (!warning.empty()) display_.say(warning);
            warned_ = !warning.empty();
        }
    }

    void say_once(const std::string& text) {
        if (!said_) display_.say(text);
        said_ = true;
    }

    Context& context_;
    std::string job_id_;
    FollowOptions options_;
    ProgressDisplay display_;
    Instant deadline_;
    Event ended_;
    json job_;  // the last document seen
    bool said_ = false;
    bool warned_ = false;
    Result<Followed> result_ = Followed{};
};

}  // namespace

Result<FollowOptions> follow_options(const Waiting& waiting) {
    FollowOptions options;
    options.show_progress = waiting.watch;
    if (waiting.timeout.empty()) return options;
    if (!waiting.is_wanted()) return fail(Code::invalid_argument, "--timeout needs --wait or --watch");
    const auto time_max = parse_duration(waiting.timeout);
    if (!time_max) return time_max.error().during("--timeout");
    options.time_max = *time_max;
    return options;
}

Result<Followed> follow_job(Context& context, const std::string& job_id, const FollowOptions& options) {
    Follower follower(context, job_id, options);
    const bool finished = context.session.run([&](TaskGroup& group) {
        group.spawn(follower.follow());
        if (options.show_progress && !context.console.err_is_terminal) group.spawn(follower.tick());
    });
    return follower.take_result(finished);
}

int follow_and_report(Context& context, const std::string& job_id, const FollowOptions& options) {
    Console& console = context.console;
    const auto followed = follow_job(context, job_id, options);
    if (!followed) {
        const int status = context.fail("job " + job_id, followed.error());
        if (retryable(followed.error().code)) notice(console, "job " + job_id + " is not lost: wait for it again with millrace job wait " + job_id);
        return status;
    }
    if (context.json && !followed->job.is_null()) {
        print_json(console.out, followed->job);
        console.out.flush();
    }
    if (followed->end == Followed::End::interrupted) {
        console.err << "detached; " << clean_text(job_id) << " goes on. Watch it again: millrace job watch "
                    << clean_text(job_id) << '\n';
        return kExitInterrupted;
    }
    if (followed->end == Followed::End::timed_out) {
        const auto waited = std::chrono::duration_cast<milliseconds>(options.time_max.value_or(Duration::zero()));
        if (!followed->job.is_null()) console.err << progress_line(followed->job) << '\n';
        report(console, "job " + job_id, "not finished after " + duration_text(waited) + "; it goes on",
               "wait longer: millrace job wait " + job_id);
        return kExitTimedOut;
    }
    console.err << outcome_line(followed->job) << '\n';
    for (const std::string& remark : remarks(followed->job)) console.err << remark << '\n';
    if (const std::string step = next_step(followed->job); !step.empty()) {
        if (exit_status_of(followed->job) == kExitFailedObjects) {
            console.err << "see why: millrace job errors " << clean_text(job_id) << '\n';
        }
        console.err << step << '\n';
    }
    console.err.flush();
    return exit_status_of(followed->job);
}

}  // namespace millrace::cli
