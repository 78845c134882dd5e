#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "cli/chain.h"
#include "cli/download.h"
#include "cli/local_path.h"
#include "cli/object_fetch.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

// The file to write: the given one, inside of the given folder, or here, under the object's last name.
std::string output_path(const Get& verb, const ObjectUri& uri) {
    const std::string last_name = uri.object.substr(uri.object.rfind('/') + 1);
    if (verb.output.empty()) return last_name;
    std::error_code ignored;
    if (verb.output.ends_with('/') || fs::is_directory(verb.output, ignored)) {
        return (fs::path(verb.output) / last_name).string();
    }
    return verb.output;
}

int get_to_stdout(Context& context, const Get& verb, Call call) {
    StreamSink sink(context.console.out);
    ObjectFetch fetch(context.session, std::move(call), verb.transform.empty(), sink);
    const auto moved = run_blocking(context.session.loop(), fetch.run());
    context.console.out.flush();
    if (!moved) return context.fail("get " + verb.object, moved.error());
    if (!context.console.out) {
        return context.fail("get " + verb.object, fail(Code::io, "cannot write to standard output"));
    }
    return kExitDone;
}

void say_got(Context& context, const Get& verb, const std::string& path, std::uint64_t bytes) {
    if (context.json) {
        print_json(context.console.out, {{"object", verb.object}, {"file", path}, {"bytes", bytes}});
    } else {
        context.console.out << "got " << clean_text(path) << " (" << size_text(bytes) << ")\n";
    }
}

int get_to_new_file(Context& context, const Get& verb, Call call, const LocalPath& place, const std::string& path) {
    auto file = NewFile::create(place.path);
    if (!file) return context.fail("get " + verb.object, file.error());
    Result<std::uint64_t> moved = fail(Code::cancelled, "interrupted");
    ObjectFetch object(context.session, std::move(call), verb.transform.empty(), *file);
    const auto fetch = [&]() -> Task<void> { moved = co_await object.run(); };
    if (!context.session.run([&](TaskGroup& group) { group.spawn(fetch()); })) {
        notice(context.console, "get: interrupted; " + path + " was not written");
        return kExitInterrupted;
    }
    if (!moved) return context.fail("get " + verb.object, moved.error());
    if (const auto published = file->publish(); !published) return context.fail("get " + verb.object, published.error());
    say_got(context, verb, path, *moved);
    return kExitDone;
}

// Signals act as usual here: a write may wait for whoever reads.
int get_into(Context& context, const Get& verb, Call call, LocalPath place, const std::string& path) {
    auto output = OpenOutput::open(std::move(place));
    if (!output) return context.fail("get " + verb.object, output.error());
    const bool is_standard_output = output->is_standard_output();
    ObjectFetch object(context.session, std::move(call), verb.transform.empty(), *output);
    const auto moved = run_blocking(context.session.loop(), object.run());
    const Result<void> finished = moved ? output->finish() : Result<void>(moved.error());
    if (!finished) {
        Error error = finished.error();
        if (output->wrote()) error.context += "; a part of it is in " + path + " now";
        return context.fail("get " + verb.object, error);
    }
    if (!is_standard_output) say_got(context, verb, path, *moved);
    return kExitDone;
}

int get_to_file(Context& context, const Get& verb, Call call, const std::string& path) {
    auto place = follow_links(path);
    if (!place) return context.fail("get " + verb.object, place.error());
    if (is_replaceable(*place)) return get_to_new_file(context, verb, std::move(call), *place, path);
    return get_into(context, verb, std::move(call), *std::move(place), path);
}

}  // namespace

int run(Context& context, const Get& verb) {
    const auto uri = object_of(verb.object);
    if (!uri) return context.fail("get", uri.error());
    Call call;
    call.target = object_path(*uri);
    if (!verb.transform.empty()) {
        Query query;
        const std::vector<std::string> chain = chain_of(verb.transform);
        query.add("etl_name", chain.front());
        std::string further;
        for (std::size_t i = 1; i < chain.size(); ++i) further += (further.empty() ? "" : ",") + chain[i];
        if (!further.empty()) query.add("etl_pipeline", further);
        if (!verb.arguments.empty()) query.add("etl_args", verb.arguments);
        call.target += "?" + query.text();
    } else if (!verb.arguments.empty()) {
        return context.fail("get", fail(Code::invalid_argument, "--args is for a transform; name one with --etl"));
    }
    if (verb.output == "-") return get_to_stdout(context, verb, std::move(call));
    return get_to_file(context, verb, std::move(call), output_path(verb, *uri));
}

}  // namespace millrace::cli
