#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "cli/chain.h"
#include "cli/download.h"
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

int get_to_file(Context& context, const Get& verb, Call call, const std::string& path) {
    auto file = NewFile::create(path);
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
    if (context.json) {
        print_json(context.console.out, {{"object", verb.object}, {"file", path}, {"bytes", *moved}});
    } else {
        context.console.out << "got " << clean_text(path) << " (" << size_text(*moved) << ")\n";
    }
    return kExitDone;
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
