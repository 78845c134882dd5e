#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "cli/chain.h"
#include "cli/download.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/hash.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kTransferTimeMax = std::chrono::hours(24);

// Compares what arrived with what the node says it sent, where it says so.
Result<void> verify(const http::Headers& headers, const Checksum& checksum) {
    const auto type = headers.find("Ais-Checksum-Type");
    const auto value = headers.find("Ais-Checksum-Value");
    if (!type || !value || *type != "xxhash2" || *value == checksum_text(checksum.value())) return {};
    return fail(Code::checksum_mismatch, "the bytes that arrived do not have the object's checksum; nothing was kept");
}

// Moves the object into the sink; its size.
Task<Result<std::uint64_t>> fetch_into(Session& session, Call call, Sink& sink) {
    MILLRACE_CO_TRY_ASSIGN(OpenExchange open, co_await session.open(std::move(call)));
    MILLRACE_CO_TRY(co_await check_status(*open.exchange));
    const auto announced = open.exchange->size();
    std::vector<std::byte> chunk(kBodyChunkBytes);
    Checksum checksum;
    std::uint64_t moved = 0;
    for (;;) {
        auto count = co_await open.exchange->read(chunk);
        if (!count) {
            const std::string so_far = "the object broke off after " + std::to_string(moved) +
                                       " bytes: " + count.error().context;
            co_return fail(Code::incomplete_body, so_far);
        }
        if (*count == 0) break;
        const auto bytes = std::span<const std::byte>(chunk).first(*count);
        checksum.update(bytes);
        moved += *count;
        MILLRACE_CO_TRY(co_await sink.write(bytes));
    }
    if (announced && *announced != moved) {
        const std::string counts = std::to_string(moved) + " of " + std::to_string(*announced) + " bytes";
        co_return fail(Code::incomplete_body, "only " + counts + " arrived");
    }
    MILLRACE_CO_TRY(verify(open.exchange->headers, checksum));
    co_return moved;
}

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
    const auto moved = run_blocking(context.session.loop(), fetch_into(context.session, std::move(call), sink));
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
    const auto fetch = [&]() -> Task<void> { moved = co_await fetch_into(context.session, std::move(call), *file); };
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
    call.time_max = kTransferTimeMax;
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
