#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <random>

#include "cli/document.h"
#include "cli/follow.h"
#include "cli/load.h"
#include "cli/output.h"
#include "cli/owner_map.h"
#include "cli/pages.h"
#include "cli/session.h"
#include "cli/size_mix.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/hash.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::size_t kChunkBytes = 64 << 10;
constexpr std::size_t kNamesMax = 200'000;
constexpr auto kOperationTimeMax = std::chrono::minutes(10);
constexpr auto kNoBound = std::chrono::hours(24 * 365);

struct Place {
    std::string bucket;
    std::string prefix;
};

Result<Place> bench_place(const std::string& uri) {
    MILLRACE_TRY_ASSIGN(ObjectUri parsed, parse_object_uri(uri));
    return Place{std::move(parsed.bucket), std::move(parsed.object)};
}

// One block of random bytes over and over.
class BlockSource final : public Source {
public:
    BlockSource(std::string_view block, std::uint64_t size) : block_(block), left_(size), size_(size) {}
    std::optional<std::uint64_t> size() const override { return size_; }
    std::optional<std::string_view> whole() const override {
        return size_ <= block_.size() ? std::optional(block_.substr(0, size_)) : std::nullopt;
    }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const std::size_t count = std::min({buffer.size(), block_.size(), static_cast<std::size_t>(std::min<std::uint64_t>(left_, block_.size()))});
        std::ranges::copy(as_bytes(block_.substr(0, count)), buffer.begin());
        left_ -= count;
        co_return count;
    }

private:
    std::string_view block_;
    std::uint64_t left_;
    std::uint64_t size_;
};

std::string random_block(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string block(kBlockBytes, '\0');
    for (char& byte : block) byte = static_cast<char>(random());
    return block;
}

// What the operations of one load share.
struct Bench {
    Session& session;
    Place place;
    OwnerMap owners;
    std::uint64_t seed;
    std::string put_prefix;  // of what is stored

    // To the owner at once, as a client that knows the cluster does.
    Task<Result<OpenExchange>> open(const std::string& name, Call call) {
        const OwnerMap::Owner owner = owners.owner(name);
        call.target = object_path({place.bucket, name}) + call.target;
        call.time_max = kOperationTimeMax;
        MILLRACE_CO_TRY_ASSIGN(OpenExchange opened, co_await session.open_at(owner.endpoint, std::move(call)));
        MILLRACE_CO_TRY(co_await check_status(*opened.exchange));
        co_return std::move(opened);
    }

    Task<Result<std::uint64_t>> put(const SizeMix& sizes, std::string_view block, std::uint64_t number) {
        const std::uint64_t size = sizes.size_of(number, seed);
        char digits[24];
        std::snprintf(digits, sizeof digits, "%09llu", static_cast<unsigned long long>(number));
        Call call{.method = "PUT"};
        call.body = [block, size]() -> Result<std::unique_ptr<Source>> { return std::make_unique<BlockSource>(block, size); };
        const std::string name = put_prefix + digits;
        MILLRACE_CO_TRY_ASSIGN(OpenExchange opened, co_await open(name, std::move(call)));
        MILLRACE_CO_TRY(co_await opened.exchange->read_all(kReplyBytesMax));
        co_return size;
    }

    // Which of the two follows from the number.
    Task<Result<std::uint64_t>> mixed(const SizeMix& sizes, std::string_view block, const std::vector<std::string>& names, std::uint32_t put_share,
                                      std::uint64_t number) {
        if (xxh64(std::to_string(number), ~seed) % 100 < put_share) return put(sizes, block, number);
        return get(names, "", number);
    }

    Task<Result<std::uint64_t>> get(const std::vector<std::string>& names, const std::string& query, std::uint64_t number) {
        const std::string& name = names[xxh64(std::to_string(number), seed) % names.size()];
        Call call{.target = query};
        MILLRACE_CO_TRY_ASSIGN(OpenExchange opened, co_await open(name, std::move(call)));
        const auto chunk = std::make_unique_for_overwrite<std::byte[]>(kChunkBytes);
        std::uint64_t moved = 0;
        for (;;) {
            MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await opened.exchange->read({chunk.get(), kChunkBytes}));
            if (count == 0) co_return moved;
            moved += count;
        }
    }
};

Result<std::vector<std::string>> names_of(Session& session, const Place& place) {
    std::vector<std::string> names;
    const PagedList list{bucket_path(place.bucket), "entries", "pagesize", 10000, "continuation_token", "continuation_token", place.prefix};
    MILLRACE_TRY(read_pages(session, list, [&](const json& entries, const json&) {
        for (const json& entry : entries) names.push_back(text_of(entry, "name"));
        return names.size() < kNamesMax;
    }));
    if (names.empty()) return fail(Code::not_found, "there are no objects to fetch; first: millrace bench put ais://" + place.bucket);
    return names;
}

Result<void> ensure_bucket(Session& session, const std::string& bucket) {
    const auto made = session.send("POST", bucket_path(bucket), {{"action", "create-bck"}});
    if (!made && made.error().code != Code::already_exists) return made.error();
    return {};
}

Result<LoadOptions> load_options(const BenchLoad& verb) {
    LoadOptions options;
    options.count = verb.count.value_or(std::numeric_limits<std::uint64_t>::max());
    options.time_max = verb.count ? Duration(kNoBound) : Duration(std::chrono::seconds(10));
    if (!verb.duration.empty()) {
        auto given = parse_duration(verb.duration);
        if (!given) return std::move(given).error().during("--duration");
        options.time_max = *given;
    }
    options.concurrency = verb.concurrency;
    options.rate = verb.rate;
    return options;
}

json document_of(const BenchLoad& verb, LoadResult& result) {
    const double seconds = std::max(result.seconds, 1e-9);
    json latency = json::object();
    for (const auto& [name, share] : {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}}) {
        latency[name] = result.percentile_ms(share);
    }
    return {{"operation", verb.operation}, {"objects", result.done}, {"errors", result.failed}, {"bytes", result.bytes}, {"seconds", result.seconds},
            {"objects_per_second", static_cast<double>(result.done) / seconds}, {"bytes_per_second", static_cast<double>(result.bytes) / seconds},
            {"latency_ms", latency}, {"first_error", result.first_error ? result.first_error->context : ""}, {"interrupted", result.interrupted}};
}

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 10 ? "%.2f" : "%.0f", value);
    return text;
}

void print_load(std::ostream& out, const json& document) {
    const json& latency = document["latency_ms"];
    std::string times;
    for (const char* name : {"p50", "p90", "p99", "p999", "max"}) {
        times += (times.empty() ? "" : ", ") + std::string(name) + " " + number_text(latency[name].get<double>()) + " ms";
    }
    print_fields(out, {{document["operation"].get<std::string>(), std::to_string(document["objects"].get<std::uint64_t>()) + " objects, " +
                                                                      size_text(document["bytes"].get<std::uint64_t>()) + " in " +
                                                                      number_text(document["seconds"].get<double>()) + " s"},
                       {"rate", number_text(document["objects_per_second"].get<double>()) + " objects/s, " +
                                    size_text(static_cast<std::uint64_t>(document["bytes_per_second"].get<double>())) + "/s"},
                       {"latency", times},
                       {"errors", document["errors"] == 0 ? "" : std::to_string(document["errors"].get<std::uint64_t>())}});
}

// The transforms that a preset stands for.
std::string command_of(const std::string& preset) {
    if (preset == "cat") return "cat";
    if (preset == "md5") return "md5sum";
    if (preset == "gzip") return "gzip -1";
    return "sleep 0.02; cat";
}

Result<std::string> ensure_preset(Session& session, const std::string& preset) {
    const std::string name = "bench-" + preset;
    const json spec{{"name", name}, {"cmd", command_of(preset)}};
    const auto added = session.send("PUT", "/v1/transforms", spec);
    if (!added && added.error().code != Code::already_exists) return added.error();
    return name;
}

Result<json> job_of(Session& session, const BenchJob& verb) {
    MILLRACE_TRY_ASSIGN(const Place source, bench_place(verb.source));
    json job{{"source", "ais://" + source.bucket}, {"destination", verb.destination}};
    if (!source.prefix.empty()) job["prefix"] = source.prefix;
    if (verb.num_workers > 0) job["num_workers"] = verb.num_workers;
    if (verb.preset == "copy") {
        job["operation"] = "copy";
    } else if (!verb.preset.empty()) {
        MILLRACE_TRY_ASSIGN(job["transform"], ensure_preset(session, verb.preset));
    } else if (!verb.transform.empty()) {
        job["transform"] = verb.transform;
    } else {
        return fail(Code::invalid_argument, "say which transform: --preset or --etl");
    }
    return session.send("POST", "/v1/jobs", job);
}

}  // namespace

int run(Context& context, const BenchLoad& verb) {
    const std::string what = "bench " + verb.operation;
    const auto place = bench_place(verb.bucket);
    if (!place) return context.fail(what, place.error());
    const auto options = load_options(verb);
    if (!options) return context.fail(what, options.error());
    const auto sizes = SizeMix::parse(verb.size);
    if (!sizes) return context.fail(what + ": --size", sizes.error());
    if (verb.operation == "put") {
        if (const auto made = ensure_bucket(context.session, place->bucket); !made) return context.fail(what, made.error());
    }
    const auto cluster = context.session.get("/v1/cluster");
    if (!cluster) return context.fail(what, cluster.error());
    auto owners = OwnerMap::from(*cluster);
    if (!owners) return context.fail(what, owners.error());

    Bench bench{context.session, *place, std::move(*owners), verb.seed, place->prefix};
    LoadResult result;
    if (verb.operation == "put") {
        const std::string block = random_block(verb.seed);
        result = run_load(context.session, *options, [&](std::uint64_t number) { return bench.put(*sizes, block, number); });
    } else if (verb.operation == "mixed") {
        const auto names = names_of(context.session, *place);
        if (!names) return context.fail(what, names.error());
        bench.put_prefix += "mixed-" + std::to_string(verb.seed) + "/";  // beside what is fetched
        const std::string block = random_block(verb.seed);
        result = run_load(context.session, *options,
                          [&](std::uint64_t number) { return bench.mixed(*sizes, block, *names, verb.put_share, number); });
    } else {
        const auto names = names_of(context.session, *place);
        if (!names) return context.fail(what, names.error());
        Query query;
        if (!verb.transform.empty()) query.add("etl_name", verb.transform);
        if (!verb.arguments.empty()) query.add("etl_args", verb.arguments);
        const std::string parameters = query.text().empty() ? "" : "?" + query.text();
        result = run_load(context.session, *options, [&](std::uint64_t number) { return bench.get(*names, parameters, number); });
    }

    const json document = document_of(verb, result);
    if (context.json) {
        print_json(context.console.out, document);
    } else {
        print_load(context.console.out, document);
    }
    if (result.first_error) report(context.console, what, std::to_string(result.failed) + " operations failed; the first: " + result.first_error->context);
    if (result.interrupted) return kExitInterrupted;
    return result.failed > 0 ? kExitFailedObjects : kExitDone;
}

int run(Context& context, const BenchJob& verb) {
    FollowOptions follow;
    follow.show_progress = !context.json;
    follow.is_known = true;
    follow.time_max = std::chrono::hours(1);
    if (!verb.timeout.empty()) {
        const auto time_max = parse_duration(verb.timeout);
        if (!time_max) return context.fail("bench job: --timeout", time_max.error());
        follow.time_max = *time_max;
    }
    const auto job = job_of(context.session, verb);
    if (!job) return context.fail("bench job", job.error());
    const std::string id = text_of(*job, "id");
    const int status = follow_and_report(context, id, follow);
    if (context.json || status == kExitTimedOut || status == kExitInterrupted) return status;
    const auto ended = context.session.get("/v1/jobs/" + percent_encode(id));
    if (!ended) return context.fail("bench job", ended.error());
    const double seconds = std::max(number_of(*ended, "elapsed_seconds"), 1e-9);
    const std::uint64_t done = count_of(member(*ended, "objects"), "done");
    const std::uint64_t bytes = count_of(member(*ended, "bytes"), "in");
    print_fields(context.console.out, {{"job", std::to_string(done) + " objects, " + size_text(bytes) + " in " + number_text(seconds) + " s"},
                                       {"rate", number_text(static_cast<double>(done) / seconds) + " objects/s, " +
                                                    size_text(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) + "/s"}});
    return status;
}

}  // namespace millrace::cli
