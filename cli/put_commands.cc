#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/directory_walk.h"
#include "cli/output.h"
#include "cli/uploader.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/units.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kUploadsAtOnce = 16;
constexpr std::size_t kListedMax = 1000;

// What came of one put. What was not stored is named when that happens, the first kListedMax of each sort.
struct Tally {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t skipped = 0;
    std::uint64_t failed = 0;
    json skips = json::array();
    json failures = json::array();

    void add_failure(Console& console, const Error& error) {
        if (++failed > kListedMax) return;
        failures.push_back({{"code", code_name(error.code)}, {"message", error.context}});
        report(console, "put", error.context);
    }
    void add_skip(Console& console, const std::string& path, const std::string& why) {
        if (++skipped > kListedMax) return;
        skips.push_back({{"path", path}, {"reason", why}});
        notice(console, "put: skipped " + path + ", which " + why);
    }
    void say_rest(Console& console) const {
        if (failed > kListedMax) notice(console, "put: " + std::to_string(failed - kListedMax) + " more failed");
        if (skipped > kListedMax) notice(console, "put: " + std::to_string(skipped - kListedMax) + " more were skipped");
    }
    int status() const { return failed > 0 || skipped > 0 ? kExitFailedObjects : kExitDone; }
};

std::string plural(std::uint64_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

void print_tally(Context& context, const Tally& tally, Instant started) {
    const double seconds = std::max(std::chrono::duration<double>(steady_now() - started).count(), 0.001);
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, json{{"objects", tally.objects}, {"bytes", tally.bytes}, {"skipped", tally.skipped}, {"skips", tally.skips},
                             {"failed", tally.failed}, {"failures", tally.failures}, {"elapsed_seconds", seconds}});
        return;
    }
    out << "put " << plural(tally.objects, "object") << ", " << size_text(tally.bytes) << " in "
        << duration_text(milliseconds(static_cast<std::int64_t>(seconds * 1000))) << " ("
        << static_cast<std::uint64_t>(static_cast<double>(tally.objects) / seconds) << "/s, "
        << size_text(static_cast<std::uint64_t>(static_cast<double>(tally.bytes) / seconds)) << "/s)";
    if (tally.skipped > 0) out << ", " << tally.skipped << " skipped";
    if (tally.failed > 0) out << ", " << tally.failed << " failed";
    out << '\n';
}

// Uploads the files of a walk. Its lanes share the walk: each takes the next file when it has put one.
class FolderPut {
public:
    FolderPut(Context& context, Uploader& uploader, DirectoryWalk walk, std::string prefix, Tally& tally)
        : context_(context), uploader_(uploader), walk_(std::move(walk)), prefix_(std::move(prefix)), tally_(tally) {}

    Task<void> lane() {
        while (!hopeless_) {
            auto file = walk_.next();
            if (!file) {
                failed("", file.error());
            } else if (!*file) {
                co_return;
            } else {
                co_await put(**file);
            }
        }
    }
    // The error that every further file would meet as well.
    const std::optional<Error>& hopeless() const { return hopeless_; }

private:
    Task<void> put(const DirectoryWalk::File& file) {
        const std::string name = prefix_ + file.name;
        if (Result<void> valid = validate_object_name(name); !valid) {
            failed(file.path, valid.error());
            co_return;
        }
        auto body = file_body(file.path);
        if (!body) {
            failed("", body.error());
            co_return;
        }
        const std::uint64_t bytes = body->bytes;
        Result<void> done = co_await uploader_.put(name, std::move(*body));
        const auto interrupted = co_await boost::asio::this_coro::cancellation_state;
        if (done) {
            ++tally_.objects;
            tally_.bytes += bytes;
        } else if (interrupted.cancelled() != boost::asio::cancellation_type::none) {
            co_return;  // neither put nor failed
        } else if (!uploader_.knows_cluster() || (tally_.objects == 0 && done.error().code == Code::not_found)) {
            hopeless_ = done.error();  // no cluster, or no such bucket
        } else if (!hopeless_) {
            failed(file.path, done.error());
        }
    }

    // `path` is empty when the error names it already.
    void failed(const std::string& path, const Error& error) {
        tally_.add_failure(context_.console, path.empty() ? error : error.during(path));
    }

    Context& context_;
    Uploader& uploader_;
    DirectoryWalk walk_;
    std::string prefix_;
    Tally& tally_;
    std::optional<Error> hopeless_;
};

int put_folder(Context& context, const Put& verb, const ObjectUri& destination) {
    Tally tally;
    auto walk = DirectoryWalk::open(verb.source, verb.follow_links, [&](const std::string& path, const std::string& why) {
        tally.add_skip(context.console, path, why);
    });
    if (!walk) return context.fail("put " + verb.source, walk.error());
    std::string prefix = destination.object;
    if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';

    const Instant started = steady_now();
    Uploader uploader(context.session, destination.bucket);
    FolderPut folder(context, uploader, std::move(*walk), std::move(prefix), tally);
    const bool finished = context.session.run([&](TaskGroup& group) {
        for (int i = 0; i < kUploadsAtOnce; ++i) group.spawn(folder.lane());
    });
    if (folder.hopeless()) return context.fail("put " + verb.source, *folder.hopeless());
    tally.say_rest(context.console);
    print_tally(context, tally, started);
    if (!finished) {
        notice(context.console, "put: interrupted; what was put stays. The same command puts everything again");
        return kExitInterrupted;
    }
    return tally.status();
}

bool is_regular(const std::string& path) {
    std::error_code ignored;
    const fs::file_type type = fs::status(path, ignored).type();
    return type == fs::file_type::regular || type == fs::file_type::not_found || type == fs::file_type::none;
}

// A pipe, a socket that was handed over, or a device is sent as it comes.
Result<LocalBody> body_of(const std::string& source, bool is_stream) {
    if (!is_stream) return file_body(source);
    MILLRACE_TRY_ASSIGN(LocalPath place, follow_links(source));
    return stream_body(std::move(place));
}

int put_one(Context& context, const Put& verb, ObjectUri destination) {
    const bool from_stream = verb.source == "-";
    const bool is_stream = from_stream || !is_regular(verb.source);
    if (destination.object.empty() || destination.object.ends_with('/')) {
        if (is_stream) {
            const std::string place = verb.destination.ends_with('/') ? verb.destination : verb.destination + "/";
            return context.fail("put " + verb.source, fail(Code::invalid_argument, (from_stream ? "standard input" : "a stream") +
                                                                                       std::string(" has no name; give one: ") + place + "NAME"));
        }
        destination.object += fs::path(verb.source).filename().string();
    }
    if (const auto valid = validate_object_name(destination.object); !valid) {
        return context.fail("put " + verb.source, valid.error());
    }

    auto opened = from_stream ? Result<LocalBody>(stream_body(context.console.in)) : body_of(verb.source, is_stream);
    if (!opened) {
        report(context.console, "put", opened.error().context);
        return opened.error().code == Code::io ? kExitFailed : kExitUsage;
    }
    LocalBody body = *std::move(opened);
    const std::uint64_t bytes = body.bytes;
    const bool size_known = body.size_known;
    Uploader uploader(context.session, destination.bucket);
    const auto done = run_blocking(context.session.loop(), uploader.put(destination.object, std::move(body)));
    const std::string uri = "ais://" + destination.bucket + "/" + destination.object;
    if (!done) return context.fail("put " + uri, done.error());
    if (context.json) {
        json document{{"object", uri}};
        if (size_known) document["bytes"] = bytes;
        print_json(context.console.out, document);
    } else {
        context.console.out << "put " << clean_text(uri) << (size_known ? " (" + size_text(bytes) + ")" : "") << '\n';
    }
    return kExitDone;
}

}  // namespace

int run(Context& context, const Put& verb) {
    auto destination = parse_object_uri(verb.destination);
    if (!destination) return context.fail("put", destination.error());
    std::error_code ignored;
    if (verb.source != "-" && fs::is_directory(verb.source, ignored)) return put_folder(context, verb, *destination);
    return put_one(context, verb, std::move(*destination));
}

}  // namespace millrace::cli
