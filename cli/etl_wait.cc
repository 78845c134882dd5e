#include "cli/etl_wait.h"

#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/session.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr auto kRunningMax = std::chrono::minutes(10);

std::string reason_of(const json& etl) {
    for (const json& target : items_of(etl, "targets")) {
        if (const std::string reason = text_of(target, "reason"); !reason.empty()) return "target " + text_of(target, "target") + ": " + reason;
    }
    return "see: millrace etl show " + text_of(etl, "name");
}

std::string standing_of(const json& etl) {
    std::size_t running = 0;
    const json& targets = items_of(etl, "targets");
    for (const json& target : targets) running += text_of(target, "state") == "running" ? 1 : 0;
    return text_of(etl, "name") + " " + text_of(etl, "state") + ": runs on " + std::to_string(running) + " of " + std::to_string(targets.size()) + " targets";
}

}  // namespace

Result<EtlPatience> etl_patience(const Waiting& waiting) {
    EtlPatience patience{.deadline = steady_now() + kRunningMax, .show_progress = waiting.watch};
    if (waiting.timeout.empty()) return patience;
    if (!waiting.is_wanted()) return fail(Code::invalid_argument, "--timeout needs --wait or --watch");
    const auto time_max = parse_duration(waiting.timeout);
    if (!time_max) return time_max.error().during("--timeout");
    patience.deadline = steady_now() + *time_max;
    patience.is_given = true;
    return patience;
}

int wait_until_running(Context& context, const std::string& what, const std::string& name, const EtlPatience& patience) {
    std::string shown;
    bool said_lost = false;
    for (;;) {
        const auto etl = context.session.get("/v1/transforms/" + percent_encode(name));
        const std::string state = etl ? text_of(*etl, "state") : "";
        if (state == "running") return kExitDone;
        if (state == "aborted") return context.fail(what, fail(Code::rejected, "it does not run: " + reason_of(*etl)));
        if (state == "stopped") return context.fail(what, fail(Code::rejected, "it was stopped meanwhile"));
        if (!etl && !retryable(etl.error().code)) return context.fail(what, etl.error());
        if (!etl && !std::exchange(said_lost, true)) notice(context.console, "lost the cluster (" + etl.error().context + "); trying to reach it again");
        if (etl && patience.show_progress && std::exchange(shown, standing_of(*etl)) != standing_of(*etl)) {
            context.console.err << clean_text(shown) << '\n' << std::flush;
        }
        if (steady_now() >= patience.deadline) {
            if (!etl) return context.fail(what, etl.error());
            report(context.console, what, "does not run on every target yet; it goes on starting", "see: millrace etl show " + name);
            return kExitTimedOut;
        }
        std::this_thread::sleep_for(std::min<Duration>(patience.pause, patience.deadline - steady_now()));
    }
}

}  // namespace millrace::cli
