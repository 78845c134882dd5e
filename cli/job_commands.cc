#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <vector>

#include "cli/document.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr std::uint64_t kErrorsPerPage = 1000;
// A report of a large job takes as long as its ledgers are long.
constexpr auto kReportTimeMax = std::chrono::hours(4);

std::string job_path(const std::string& job, std::string_view rest = "") {
    return "/v1/jobs/" + percent_encode(job) + std::string(rest);
}

std::string failed_count(const json& job) {
    const json& objects = member(job, "objects");
    return std::to_string(count_of(objects, "failed") + count_of(objects, "quarantined"));
}

// What it does with each object: the transform's name, or "copy" or "delete".
std::string work_of(const json& job) {
    const std::string transform = text_of(job, "transform");
    return transform.empty() ? text_of(job, "operation") : transform;
}

int follow(Context& context, const std::string& verb, const std::string& job, const Waiting& waiting) {
    const auto options = follow_options(waiting);
    if (!options) return context.fail("job " + verb, options.error());
    return follow_and_report(context, job, *options);
}

void print_slices(std::ostream& out, const json& slices) {
    Table table({{"TARGET"},
                 {"STATE"},
                 {"OBJECTS", true},
                 {"FAILED", true},
                 {"ATTEMPTS", true},
                 {"IN FLIGHT", true},
                 {"BYTES IN", true},
                 {"BYTES OUT", true},
                 {"REASON"}});
    for (const json& slice : slices) {
        const json& bytes = member(slice, "bytes");
        table.add({text_of(slice, "target"), text_of(slice, "state") + (flag_of(slice, "online") ? "" : " (offline)"),
                   object_counts(slice), failed_count(slice), std::to_string(count_of(slice, "attempts")),
                   std::to_string(count_of(slice, "in_flight")), size_text(count_of(bytes, "in")),
                   size_text(count_of(bytes, "out")), text_of(slice, "reason")});
    }
    table.print(out);
}

// Empty unless the job went on with another bucket or transform than it began with.
std::string pins_line(const json& job) {
    const json& pins = member(job, "pins");
    if (pins.size() < 2) return "";
    return "went on with other buckets or transforms of the names since epoch " + std::to_string(count_of(pins.back(), "from_epoch")) + " (job report)";
}

std::string lost_line(const json& job) {
    const std::uint64_t lost = count_of(job, "outputs_lost");
    if (lost == 0) return "";
    return std::to_string(lost) + " outputs of objects that are done were not there any more when it started again (of the first 1,000 of each target)";
}

// Rows of the errors of a job as they are printed: a table per page, or one JSON array.
class ErrorPrinter {
public:
    explicit ErrorPrinter(Context& context) : context_(context), array_(context.console.out) {}

    void print(const std::vector<json>& rows) {
        if (context_.json) {
            for (const json& row : rows) array_.add(row);
            return;
        }
        if (rows.empty()) return;
        Table table({{"OBJECT"}, {"CLASS"}, {"CODE"}, {"ATTEMPTS", true}, {"TARGET"}, {"MESSAGE"}});
        for (const json& row : rows) {
            table.add({text_of(row, "object"), text_of(row, "class"), text_of(row, "code"),
                       std::to_string(count_of(row, "attempts")), text_of(row, "target"), text_of(row, "message")});
        }
        table.print(context_.console.out);
    }
    void end() {
        if (context_.json) array_.end();
    }

private:
    Context& context_;
    JsonArrayPrinter array_;
};

// Calls on_line for every line of an answer of JSON lines, without its end.
Task<Result<void>> read_lines(Session& session, std::string target, std::function<Result<void>(const std::string&)> on_line) {
    constexpr std::size_t kLineBytesMax = 4 << 20;
    Call call;
    call.target = std::move(target);
    call.time_max = kReportTimeMax;
    MILLRACE_CO_TRY_ASSIGN(OpenExchange open, co_await session.open(std::move(call)));
    MILLRACE_CO_TRY(co_await check_status(*open.exchange));
    std::vector<std::byte> chunk(kBodyChunkBytes);
    std::string line;
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await open.exchange->read(chunk));
        if (count == 0) break;
        std::string_view text(reinterpret_cast<const char*>(chunk.data()), count);
        for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            line += text.substr(0, end);
            MILLRACE_CO_TRY(on_line(line));
            line.clear();
            text.remove_prefix(end + 1);
        }
        line += text;
        if (line.size() > kLineBytesMax) co_return fail(Code::too_large, "a line of the answer has no end");
    }
    if (!line.empty()) co_return on_line(line);
    co_return Result<void>{};
}

Result<void> print_line(std::ostream& out, const std::string& line) {
    out << line << '\n';
    if (!out) return fail(Code::io, "cannot write to standard output");
    return {};
}

}  // namespace

int run(Context& context, const JobList& verb) {
    const auto jobs = context.session.list("/v1/jobs" +
                                           (verb.state.empty() ? "" : "?state=" + percent_encode(verb.state)));
    if (!jobs) return context.fail("job ls", jobs.error());
    if (context.json) {
        print_json(context.console.out, *jobs);
        return kExitDone;
    }
    Table table({{"JOB"},
                 {"STATE"},
                 {"WORK"},
                 {"SOURCE"},
                 {"DESTINATION"},
                 {"OBJECTS", true},
                 {"FAILED", true},
                 {"CREATED"}});
    for (const json& job : *jobs) {
        table.add({text_of(job, "id"), text_of(job, "state"), work_of(job), text_of(job, "source"),
                   text_of(job, "destination"), object_counts(job), failed_count(job), text_of(job, "created_at")});
    }
    table.print(context.console.out);
    return kExitDone;
}

int run(Context& context, const JobShow& verb) {
    const auto job = context.session.get(job_path(verb.job));
    if (!job) return context.fail("job show " + verb.job, job.error());
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, *job);
        return kExitDone;
    }
    const json& bytes = member(*job, "bytes");
    const std::uint64_t moved = count_of(bytes, "moved");
    print_fields(
        out, {{"job", text_of(*job, "id")},
              {"work", work_of(*job)},
              {"kind", text_of(*job, "kind")},
              {"source", text_of(*job, "source")},
              {"destination", text_of(*job, "destination")},
              {"progress", is_terminal(*job) ? outcome_line(*job) : progress_line(*job)},
              {"bytes", size_text(count_of(bytes, "in")) + " of " + size_text(count_of(bytes, "total")) + " in, " +
                            size_text(count_of(bytes, "out")) + " out, " + size_text(moved) + " moved between targets"},
              {"attempts", std::to_string(count_of(*job, "attempts"))},
              {"pins", pins_line(*job)},
              {"lost", lost_line(*job)},
              {"created", text_of(*job, "created_at")},
              {"started", text_of(*job, "started_at")},
              {"finished", text_of(*job, "finished_at")},
              {"go on with", next_step(*job)}});
    if (const std::string warning = early_warning(*job); !warning.empty()) out << "note: " << warning << '\n';
    for (const std::string& remark : remarks(*job)) out << "note: " << remark << '\n';
    out << '\n';
    print_slices(out, member(*job, "slices"));
    return kExitDone;
}

int run(Context& context, const JobWatch& verb) { return follow(context, "watch", verb.job, {.watch = true, .timeout = verb.timeout}); }
int run(Context& context, const JobWait& verb) { return follow(context, "wait", verb.job, {.wait = true, .timeout = verb.timeout}); }

int run(Context& context, const JobControl& verb) {
    auto follow = follow_options(verb.waiting);
    if (!follow) return context.fail("job " + verb.verb, follow.error());
    follow->is_known = true;
    Call call;
    call.method = "POST";
    call.target = job_path(verb.job, "/" + verb.verb + (verb.with_current ? "?with_current=true" : ""));
    const auto job = context.session.request(std::move(call));
    if (!job) return context.fail("job " + verb.verb + " " + verb.job, job.error());
    const bool is_followed = verb.waiting.is_wanted();
    if (!context.json) {
        context.console.out << clean_text(text_of(*job, "id", verb.job)) << ' ' << clean_text(text_of(*job, "state"))
                            << '\n' << std::flush;
    } else if (!is_followed) {
        print_json(context.console.out, *job);
    }
    return is_followed ? follow_and_report(context, verb.job, *follow) : kExitDone;
}

int run(Context& context, const JobErrors& verb) {
    ErrorPrinter printer(context);
    std::uint64_t left = verb.limit == 0 ? ~std::uint64_t{0} : verb.limit;
    std::set<std::string> unreachable;
    std::map<std::string, std::string> problems;  // of targets that answered, but could not say
    const PagedList list{job_path(verb.job, "/errors"), "errors", "limit", std::min(left, kErrorsPerPage), "cursor", "cursor"};
    const auto read = read_pages(context.session, list, [&](const json& rows, const json& page) {
        const auto wanted = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(left, rows.size()));
        printer.print({rows.begin(), rows.begin() + wanted});
        left -= static_cast<std::uint64_t>(wanted);
        for (const json& target : items_of(page, "unreachable")) unreachable.insert(text_of(target));
        for (const auto& [target, why] : member(page, "problems").items()) problems[target] = text_of(why);
        return left > 0 && context.console.out.good();
    });
    if (!read) return context.fail("job errors " + verb.job, read.error());
    printer.end();
    std::string names;
    for (const std::string& target : unreachable) names += " " + target;
    if (!names.empty()) notice(context.console, "job errors: not complete, these targets are offline:" + names);
    for (const auto& [target, why] : problems) notice(context.console, "job errors: not complete, target " + target + " cannot say: " + why);
    return unreachable.empty() && problems.empty() ? kExitDone : kExitFailedObjects;
}

int run(Context& context, const JobReport& verb) {
    std::string last;
    auto print = [&](const std::string& line) {
        last = line;
        return print_line(context.console.out, line);
    };
    const auto read = run_blocking(context.session.loop(), read_lines(context.session, job_path(verb.job, "/report"), std::move(print)));
    context.console.out.flush();
    if (!read) return context.fail("job report " + verb.job, read.error());
    const auto end = parse_json(last);
    const bool ended = end && text_of(*end, "kind") == "end";
    if (!ended || !flag_of(*end, "complete")) {
        notice(context.console,
               std::string("job report: not complete: ") + (ended ? "some targets are offline, or cannot say (millrace job errors tells which)"
                                                                : "its end is missing"));
        return ended ? kExitFailedObjects : kExitFailed;
    }
    return kExitDone;
}

int run(Context& context, const JobVerify& verb) {
    std::ostream& out = context.console.out;
    json end;
    auto print = [&](const std::string& line) -> Result<void> {
        MILLRACE_TRY_ASSIGN(const json row, parse_json(line));
        if (text_of(row, "kind") == "end") end = row;
        if (context.json) return print_line(out, line);
        if (text_of(row, "kind") != "problem") return {};
        const std::string output = text_of(row, "output");
        return print_line(out, clean_text(text_of(row, "problem")) + "  " + clean_text(output.empty() ? text_of(row, "object") : output) + ": " +
                                   clean_text(text_of(row, "detail")));
    };
    const std::string target = job_path(verb.job, std::string("/verify") + (verb.contents ? "?contents=true" : ""));
    const auto read = run_blocking(context.session.loop(), read_lines(context.session, target, std::move(print)));
    if (!read) return context.fail("job verify " + verb.job, read.error());
    if (!end.is_object()) return context.fail("job verify " + verb.job, fail(Code::incomplete_body, "the answer has no end; try again"));
    for (const auto& [target_id, why] : member(end, "unreachable").items()) {
        notice(context.console, "job verify: nothing is known of the results of target " + clean_text(target_id) + ": " +
                                    clean_text(why.is_string() ? why.get<std::string>() : ""));
    }
    if (const std::uint64_t unseen = count_of(end, "unseen"); unseen > 0) {
        notice(context.console, "job verify: " + std::to_string(unseen) + " results were not looked at: their sources are not there any more");
    }
    const std::uint64_t problems = count_of(end, "problems");
    if (!context.json) {
        out << count_of(end, "checked") << " results looked at, " << problems << " not as they should be";
        if (const std::uint64_t kept = count_of(end, "kept"); kept > 0) out << ", " << kept << " of them were there before";
        out << '\n';
    }
    return problems > 0 ? kExitFailedObjects : flag_of(end, "complete") ? kExitDone : kExitFailed;
}

int remove_old_jobs(Context& context, const JobRemove& verb) {
    Call call;
    call.method = "DELETE";
    call.target = "/v1/jobs?older_than=" + percent_encode(verb.older_than);
    const auto removed = context.session.request(std::move(call));
    if (!removed) return context.fail("job rm --older-than " + verb.older_than, removed.error());
    if (context.json) {
        print_json(context.console.out, *removed);
    } else {
        context.console.out << "removed " << count_of(*removed, "removed") << " jobs; their outputs stay\n";
    }
    return kExitDone;
}

int run(Context& context, const JobRemove& verb) {
    if (verb.job.empty() == verb.older_than.empty()) {
        return context.fail("job rm", fail(Code::invalid_argument, "name a job, or give --older-than DURATION"));
    }
    if (verb.job.empty()) return remove_old_jobs(context, verb);
    Call call;
    call.method = "DELETE";
    call.target = job_path(verb.job);
    const auto removed = context.session.request(std::move(call));
    if (!removed) return context.fail("job rm " + verb.job, removed.error());
    if (context.json) {
        print_json(context.console.out, {{"id", verb.job}, {"removed", true}});
    } else {
        context.console.out << "removed " << clean_text(verb.job) << "; its outputs stay\n";
    }
    return kExitDone;
}

}  // namespace millrace::cli
