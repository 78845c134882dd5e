#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/follow.h"
#include "cli/job_spec.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "core/ids.h"
#include "core/units.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr int kSubmitTriesMax = 3;
constexpr milliseconds kSubmitFirstPause{200};

// With its key a submit may be sent again when the answer got lost: it stays one job.
Task<Result<http::Reply>> submit(Session& session, std::string body, std::string key) {
    Duration pause = kSubmitFirstPause;
    for (int tried = 1;; ++tried) {
        Call call;
        call.method = "POST";
        call.target = "/v1/jobs";
        call.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}};
        call.body = text_body(body);
        auto reply = co_await session.fetch(std::move(call));
        if (reply || !retryable(reply.error().code) || tried == kSubmitTriesMax) co_return reply;
        co_await sleep_for(pause);
        pause *= 2;
    }
}

}  // namespace

int run(Context& context, const JobSubmit& verb) {
    const std::string name = verb.operation == "copy" ? "cp" : verb.operation == "delete" ? "rm" : "job submit";
    auto follow = follow_options(verb.waiting);
    if (!follow) return context.fail(name, follow.error());
    follow->is_known = true;
    const auto spec = job_spec(verb, context.console.in);
    if (!spec) return context.fail(name, spec.error());
    const std::string key = verb.idempotency_key.empty() ? random_id("cli-") : verb.idempotency_key;
    const auto reply = run_blocking(context.session.loop(), submit(context.session, json_line(*spec), key));
    if (!reply) return context.fail(name, reply.error());
    const auto job = parse_json(reply->body);
    if (!job) return context.fail(name, job.error());
    const std::string id = text_of(*job, "id");
    if (id.empty()) {
        return context.fail(name, fail(Code::internal, "the reply names no job; see: millrace job ls"));
    }

    const bool followed = verb.waiting.is_wanted();
    std::ostream& out = context.console.out;
    if (!context.json) {
        out << clean_text(id) << '\n' << std::flush;
    } else if (!followed) {
        print_json(out, *job);
    }
    return followed ? follow_and_report(context, id, *follow) : kExitDone;
}

}  // namespace millrace::cli
