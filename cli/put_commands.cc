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
constexpr std::size_t kFailuresListedMax = 1000;

// The counts of one put; every failure is reported when it happens.
struct Tally {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t skipped = 0;
    std::uint64_t failed = 0;
    json failures = json::array();  // the first kFailuresListedMax

    void add_failure(const Error& error) {
        if (failures.size() < kFailuresListedMax) {
            failures.push_back({{"code", code_name(error.code)}, {"message", error.context}});
        }
        ++failed;
    }
};

std::string plural(std::uint64_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

void print_tally(Context& context, const Tally& tally, Instant started) {
    const double seconds = std::max(std::chrono::duration<double>(steady_now() - started).count(), 0.001);
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, json{{"objects", tally.objects}, {"bytes", tally.bytes}, {"skipped", tally.skipped},
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
        const Error named = path.empty() ? error : error.during(path);
        tally_.add_failure(named);
        report(context_.console, "put", named.context);
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
    auto walk = DirectoryWalk::open(verb.source, [&](const std::string& path, const std::string& why) {
        ++tally.skipped;
        notice(context.console, "put: skipped " + path + ", which " + why);
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
    print_tally(context, tally, started);
    if (!finished) {
        notice(context.console, "put: interrupted; what was put stays. The same command puts everything again");
        return kExitInterrupted;
    }
    return tally.failed > 0 ? kExitFailedObjects : kExitDone;
}

int put_one(Context& context, const Put& verb, ObjectUri destination) {
    const bool from_stream = verb.source == "-";
    if (destination.object.empty() || destination.object.ends_with('/')) {
        if (from_stream) {
            return context.fail("put -", fail(Code::invalid_argument,
                                              "standard input has no name; give one: " + verb.destination + "/NAME"));
        }
        destination.object += fs::path(verb.source).filename().string();
    }
    if (const auto valid = validate_object_name(destination.object); !valid) {
        return context.fail("put " + verb.source, valid.error());
    }

    LocalBody body;
    if (from_stream) {
        body = stream_body(context.console.in);
    } else {
        auto file = file_body(verb.source);
        if (!file) {
            report(context.console, "put", file.error().context);
            return file.error().code == Code::io ? kExitFailed : kExitUsage;
        }
        body = std::move(*file);
    }
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
