#include <fstream>
#include <istream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/document.h"
#include "cli/etl_wait.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/spec_documents.h"
#include "cli/verbs.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kSpecBytesMax = 1 << 20;
// A transform may take its own init_timeout to start, on every target.
constexpr auto kFollowPause = std::chrono::milliseconds(500);
constexpr auto kStartTimeMax = std::chrono::minutes(10);

std::string etl_path(const std::string& name, std::string_view rest = "") {
    return "/v1/transforms/" + percent_encode(name) + std::string(rest);
}

Result<std::string> read_text(Context& context, const std::string& file) {
    std::ifstream opened;
    if (file != "-") {
        opened.open(file, std::ios::binary);
        if (!opened) return errno_error("cannot open " + file, errno);
    }
    std::istream& in = file == "-" ? context.console.in : opened;
    std::string text(kSpecBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return fail(Code::io, "cannot read " + file);
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kSpecBytesMax) return fail(Code::too_large, file + " is larger than 1 MiB; is it a specification?");
    return text;
}

// Registers one specification and says so.
Result<void> register_spec(Context& context, std::string text, std::string_view content_type, JsonArrayPrinter* array) {
    Call call;
    call.method = "PUT";
    call.target = "/v1/transforms";
    call.headers = {{"Content-Type", std::string(content_type)}};
    call.body = text_body(std::move(text));
    call.time_max = kStartTimeMax;
    MILLRACE_TRY_ASSIGN(const json reply, context.session.request(std::move(call)));
    const std::string name = text_of(reply, "name");
    for (const json& warning : member(reply, "warnings")) {
        notice(context.console,
               "etl " + name + ": warning: " + (warning.is_string() ? warning.get<std::string>() : json_line(warning)));
    }
    if (array != nullptr) {
        array->add(reply);
    } else {
        context.console.out << "etl " << clean_text(name) << " runs on every online target\n" << std::flush;
    }
    return {};
}

std::string place_of(const std::string& file, const std::vector<SpecDocument>& documents, const SpecDocument& document) {
    return documents.size() == 1 ? file : file + ", document from line " + std::to_string(document.line);
}

Result<std::vector<SpecDocument>> read_documents(Context& context, const std::string& file) {
    MILLRACE_TRY_ASSIGN(const std::string text, read_text(context, file));
    std::vector<SpecDocument> documents = split_documents(text);
    if (documents.empty()) return fail(Code::invalid_argument, file + " holds no specification");
    return documents;
}

int register_file(Context& context, const EtlInit& verb, const SpecValues& values, JsonArrayPrinter* printer) {
    const auto documents = read_documents(context, verb.file);
    if (!documents) {
        report(context.console, "etl init", documents.error().context);
        return kExitUsage;
    }
    if (!values.empty() && documents->size() > 1) {
        report(context.console, "etl init", verb.file + " holds " + std::to_string(documents->size()) + " specifications",
               "--name, --comm-type, --init-timeout and --object-timeout are for a file with one");
        return kExitUsage;
    }
    int status = kExitDone;
    for (const SpecDocument& document : *documents) {
        auto text = values.empty() ? Result<std::string>(document.text) : with_values(document.text, values);
        const auto done = text ? register_spec(context, std::move(*text), "application/yaml", printer) : Result<void>(text.error());
        if (done) continue;
        status = context.fail("etl init: " + place_of(verb.file, *documents, document), done.error());
        if (Session::is_unreachable(done.error())) break;
    }
    return status;
}

int register_command(Context& context, const EtlInit& verb, const SpecValues& values, JsonArrayPrinter* printer) {
    json document{{"name", values.name}, {"cmd", verb.cmd}};
    if (!values.communication.empty()) document["communication"] = values.communication;
    if (!values.init_timeout.empty()) document["init_timeout"] = values.init_timeout;
    if (!values.object_timeout.empty()) document["obj_timeout"] = values.object_timeout;
    const auto done = register_spec(context, json_line(document), "application/json", printer);
    return done ? kExitDone : context.fail("etl init " + values.name, done.error());
}

// Starts, stops or removes one transform, and says so.
Result<void> control_etl(Context& context, const EtlControl& control, const std::string& name, Duration time_max, JsonArrayPrinter* array) {
    const std::string& verb = control.verb;
    Call call;
    call.method = verb == "rm" ? "DELETE" : "POST";
    call.target = etl_path(name, verb == "rm" ? "" : "/" + verb);
    if (control.new_version) {
        Query query;
        query.add("new_version", *control.new_version);
        call.target += "?" + query.text();
    }
    call.time_max = time_max;
    const auto done = context.session.request(std::move(call));
    // Who waits looks for himself how it stands.
    const bool may_go_on = control.waiting.is_wanted() && !done && retryable(done.error().code);
    if (!done && !may_go_on) return done.error();
    const std::string what = verb == "rm" ? "removed" : verb == "stop" ? "stopped" : verb == "restart" ? "restarted" : "started";
    const json answer{{"name", name}, {what, true}};
    if (array != nullptr) {
        array->add(answer);
    } else if (context.json) {
        print_json(context.console.out, answer);
    } else {
        context.console.out << what << " etl " << clean_text(name) << '\n';
    }
    return {};
}

int control_one(Context& context, const EtlControl& verb, const std::string& name, JsonArrayPrinter* array) {
    const std::string what = "etl " + verb.verb + " " + name;
    const auto patience = etl_patience(verb.waiting);
    if (!patience) return context.fail(what, patience.error());
    const Duration time_max = patience->is_given ? patience->deadline - steady_now() : Duration(kStartTimeMax);
    const auto done = control_etl(context, verb, name, time_max, array);
    if (!done) return context.fail(what, done.error());
    return verb.waiting.is_wanted() ? wait_until_running(context, what, name, *patience) : kExitDone;
}

int control_file(Context& context, const EtlControl& verb) {
    const std::string what = "etl " + verb.verb;
    const auto documents = read_documents(context, verb.file);
    if (!documents) {
        report(context.console, what, documents.error().context);
        return kExitUsage;
    }
    JsonArrayPrinter array(context.console.out);
    int status = kExitDone;
    for (const SpecDocument& document : *documents) {
        const auto name = spec_name(document.text);
        const int one = name ? control_one(context, verb, *name, context.json ? &array : nullptr)
                             : context.fail(what + ": " + place_of(verb.file, *documents, document), name.error());
        if (one != kExitDone) status = one;
    }
    if (context.json) array.end();
    return status;
}

// A list of what targets say lacks those that are offline.
int say_who_is_away(Context& context, const std::string& what) {
    const auto cluster = context.session.get("/v1/cluster");
    if (!cluster) return context.fail(what, cluster.error());
    std::string names;
    for (const json& target : items_of(*cluster, "targets")) {
        if (!flag_of(target, "online")) names += " " + text_of(target, "id");
    }
    if (names.empty()) return kExitDone;
    notice(context.console, what + ": not complete, these targets are offline:" + names);
    return kExitFailedObjects;
}

void print_log(Context& context, const json& log) {
    if (context.json) {
        context.console.out << json_line(log) << '\n' << std::flush;
        return;
    }
    const std::string text = clean_lines(text_of(log, "log"));
    context.console.out << "==> " << clean_text(text_of(log, "target")) << " <==\n"
                        << text << (text.empty() || text.ends_with('\n') ? "" : "\n") << std::flush;
}

// Asks each target for what it has not shown yet, twice a second. Ctrl-C ends it.
int follow_logs(Context& context, const EtlLogs& verb, std::map<std::string, std::uint64_t> ends) {
    for (;;) {
        std::this_thread::sleep_for(kFollowPause);
        for (auto& [target, end] : ends) {
            Query query;
            query.add("target", target);
            query.add("after", std::to_string(end));
            const auto logs = context.session.list(etl_path(verb.name, "/logs?") + query.text());
            if (!logs && Session::is_unreachable(logs.error())) return context.fail("etl logs " + verb.name, logs.error());
            if (!logs && logs.error().code == Code::not_found) return context.fail("etl logs " + verb.name, logs.error());
            if (!logs) continue;  // the target is away for a moment
            for (const json& log : *logs) {
                end = count_of(log, "end");
                if (!text_of(log, "log").empty()) print_log(context, log);
            }
        }
    }
}

}  // namespace

int run(Context& context, const EtlInit& verb) {
    JsonArrayPrinter array(context.console.out);
    JsonArrayPrinter* const printer = context.json ? &array : nullptr;
    SpecValues values = verb.values;
    if (!values.communication.empty() && values.communication.find("://") == std::string::npos) values.communication += "://";
    const int status = verb.file.empty() ? register_command(context, verb, values, printer) : register_file(context, verb, values, printer);
    if (context.json) array.end();
    return status;
}

int run(Context& context, const EtlList&) {
    const auto etls = context.session.list("/v1/transforms");
    if (!etls) return context.fail("etl ls", etls.error());
    if (context.json) {
        print_json(context.console.out, *etls);
        return kExitDone;
    }
    Table table({{"NAME"}, {"KIND"}, {"STATE"}, {"TARGETS"}});
    for (const json& etl : *etls) {
        table.add({text_of(etl, "name"), text_of(etl, "kind"), text_of(etl, "state"),
                   std::to_string(count_of(etl, "targets_running")) + "/" + std::to_string(count_of(etl, "targets"))});
    }
    table.print(context.console.out);
    return kExitDone;
}

int run(Context& context, const EtlShow& verb) {
    const auto etl = context.session.get(etl_path(verb.name));
    if (!etl) return context.fail("etl show " + verb.name, etl.error());
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, *etl);
        return kExitDone;
    }
    std::vector<std::pair<std::string, std::string>> fields{{"name", text_of(*etl, "name")},
                                                            {"kind", text_of(*etl, "kind")},
                                                            {"state", text_of(*etl, "state")},
                                                            {"digest", text_of(*etl, "digest")}};
    const bool is_container = !text_of(*etl, "image").empty();
    if (is_container) fields.emplace_back("image id", clean_text(text_of(*etl, "image")));
    if (const json& spec = member(*etl, "spec"); spec.is_object()) {
        for (const auto& [key, value] : spec.items()) {
            if (key != "name" && key != "kind") {
                fields.emplace_back(clean_text(key), value.is_string() ? value.get<std::string>() : json_line(value));
            }
        }
    }
    print_fields(out, fields);
    out << '\n';
    Table table({{"TARGET"}, {"STATE"}, {is_container ? "IMAGE ID" : "START"}, {"PID", true}, {"RESTARTS", true}, {"RUNS", true}, {"FAILURES", true},
                 {"REASON"}});
    for (const json& target : member(*etl, "targets")) {
        const std::uint64_t pid = count_of(target, "pid");
        const std::string start = is_container ? text_of(target, "image") : text_of(target, "start");
        table.add({text_of(target, "target"), text_of(target, "state"), start.empty() ? "-" : start, pid == 0 ? "-" : std::to_string(pid),
                   std::to_string(count_of(target, "restarts")), std::to_string(count_of(target, "runs")),
                   std::to_string(count_of(target, "failures")), text_of(target, "reason")});
    }
    table.print(out);
    for (const json& target : member(*etl, "targets")) {
        const std::string lacks = text_of(target, "sandbox_lacks");
        if (text_of(target, "sandbox").empty()) continue;
        out << "\nsandbox on " << clean_text(text_of(target, "target")) << ": " << clean_text(text_of(target, "sandbox")) << '\n';
        if (!lacks.empty()) out << "  lacks: " << clean_text(lacks) << '\n';
    }
    for (const json& target : member(*etl, "targets")) {
        if (text_of(target, "last_death").empty()) continue;
        out << "\nlast death on " << clean_text(text_of(target, "target")) << ": " << clean_text(text_of(target, "last_death")) << '\n'
            << clean_lines(text_of(target, "last_death_log"));
    }
    return kExitDone;
}

int run(Context& context, const EtlControl& verb) {
    if (!verb.file.empty()) return control_file(context, verb);
    return control_one(context, verb, verb.name, nullptr);
}

int run(Context& context, const EtlLogs& verb) {
    Query query;
    if (!verb.target.empty()) query.add("target", verb.target);
    const auto logs = context.session.list(etl_path(verb.name, "/logs?") + query.text());
    if (!logs) return context.fail("etl logs " + verb.name, logs.error());
    if (context.json && !verb.follow) {
        print_json(context.console.out, *logs);
        return verb.target.empty() ? say_who_is_away(context, "etl logs " + verb.name) : kExitDone;
    }
    std::map<std::string, std::uint64_t> ends;
    for (const json& log : *logs) {
        print_log(context, log);
        ends[text_of(log, "target")] = count_of(log, "end");
    }
    const int status = verb.target.empty() ? say_who_is_away(context, "etl logs " + verb.name) : kExitDone;
    return verb.follow ? follow_logs(context, verb, std::move(ends)) : status;
}

int run(Context& context, const EtlErrors& verb) {
    const auto errors = context.session.list(etl_path(verb.name, "/errors"));
    if (!errors) return context.fail("etl errors " + verb.name, errors.error());
    if (context.json) {
        print_json(context.console.out, *errors);
        return say_who_is_away(context, "etl errors " + verb.name);
    }
    Table table({{"AT"}, {"TARGET"}, {"OBJECT"}, {"CODE"}, {"MESSAGE"}});
    for (const json& error : *errors) {
        table.add({text_of(error, "at"), text_of(error, "target"), text_of(error, "object"), text_of(error, "code"),
                   text_of(error, "message")});
    }
    table.print(context.console.out);
    return say_who_is_away(context, "etl errors " + verb.name);
}

}  // namespace millrace::cli
