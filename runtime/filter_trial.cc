#include "runtime/filter_trial.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/hash.h"
#include "runtime/forkable.h"

namespace millrace::runtime {
namespace {

constexpr int kRoundsMin = 2;
constexpr int kRoundsMax = 4;
constexpr Duration kEnough = std::chrono::milliseconds(100);   // a filter that takes long is not measured as often
constexpr Duration kTrialTimeMax = std::chrono::seconds(5);
constexpr Duration kShellTrialTimeMax = std::chrono::seconds(2);  // the start waits for it
constexpr double kGainMin = 0.9;                               // a forked run takes at most this part of a spawned one
constexpr std::uint64_t kOutputBytesMax = 64 << 20;
constexpr std::size_t kWordsMax = 400;

class DigestSink final : public Sink {
public:
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        size_ += bytes.size();
        checksum_.update(bytes);
        if (size_ > kOutputBytesMax) co_return fail(Code::too_large, "it makes much out of nothing");
        co_return Result<void>{};
    }
    std::uint64_t value() const { return checksum_.value(); }

private:
    std::uint64_t size_ = 0;
    Checksum checksum_;
};

struct Probe {
    ExitStatus status;
    std::uint64_t output = 0;
    Duration took{};

    bool is_like(const Probe& other) const {
        return status.signalled == other.status.signalled && status.number == other.status.number && output == other.output;
    }
};

struct Specimen {
    const char* bucket;
    const char* name;
    const char* args;
    const char* content;
};
constexpr std::array<Specimen, 2> kSpecimens{{{"millrace-trial", "trial/first", "", ""}, {"millrace-trial-2", "second.txt", "trial=2", "of a trial\n"}}};

Task<Result<Probe>> probe(const TransformSpec& spec, const FilterProgram& program, const Specimen& specimen, FilterLauncher& launcher) {
    const ObjectRun object{.bucket = specimen.bucket, .name = specimen.name, .args = specimen.args, .deadline = steady_now() + kTrialTimeMax};
    MemorySource source(specimen.content);
    DigestSink sink;
    const Instant begun = steady_now();
    FilterRun run(spec, program, object, source, sink, launcher);
    const RunResult result = co_await run.run();
    if (!result.has_value() && !run.own_end()) co_return result.error().error;
    co_return Probe{*run.own_end(), sink.value(), steady_now() - begun};
}

}  // namespace

Task<Result<void>> try_forking(const TransformSpec& spec, const FilterProgram& program, const std::string& library,
                               FilterProcesses& processes, const std::string& folder, Executor executor) {
    Forking always{.transform = spec.name, .library = library, .wanted = true};
    Forking never{.transform = spec.name};
    RunFolders folders(folder + "/trial.", RunFolders::Users::one);  // the same for both, which may tell its path
    FilterLauncher forks(always, processes, folders, folders, executor);
    FilterLauncher spawns(never, processes, folders, folders, executor);
    if (const std::string why = fork_obstacle(program.file, program.env, library); !why.empty()) co_return fail(Code::unavailable, why);
    std::array<std::optional<Probe>, kSpecimens.size()> firsts;
    for (std::size_t i = 0; i < kSpecimens.size(); ++i) {  // loads it
        const auto first = co_await probe(spec, program, kSpecimens[i], forks);
        if (!first.has_value()) co_return first.error();
        firsts[i] = *first;
    }
    if (forks.forks() == 0) co_return fail(Code::unavailable, forks.last_failure());
    Duration spawned = Duration::max();
    Duration forked = Duration::max();
    const Instant begun = steady_now();
    for (int round = 0; round < kRoundsMin || (round < kRoundsMax && steady_now() < begun + kEnough); ++round) {
        const std::size_t which = static_cast<std::size_t>(round) % kSpecimens.size();
        const auto one = co_await probe(spec, program, kSpecimens[which], spawns);
        if (!one.has_value()) co_return one.error();
        const auto other = co_await probe(spec, program, kSpecimens[which], forks);
        if (!other.has_value()) co_return other.error();
        if (!one->is_like(*firsts[which]) || !other->is_like(*firsts[which])) co_return fail(Code::unavailable, "its results are not the same each time");
        spawned = std::min(spawned, one->took);
        forked = std::min(forked, other->took);
    }
    if (forks.forks() < static_cast<std::uint64_t>(kRoundsMin) + kSpecimens.size()) co_return fail(Code::unavailable, "it does not always fork");
    if (static_cast<double>(forked.count()) > kGainMin * static_cast<double>(spawned.count())) co_return fail(Code::unavailable, "there is no gain");
    co_return Result<void>{};
}

Task<Result<std::string>> try_shell(const TransformSpec& spec, const FilterProgram& program, FilterProcesses& processes, const std::string& folder,
                                    Executor executor) {
    constexpr int kNotExecutable = 126;
    constexpr int kNotFound = 127;
    Forking never{.transform = spec.name};
    RunFolders folders(folder + "/trial.");
    FilterLauncher spawns(never, processes, folders, folders, executor);
    const Specimen& specimen = kSpecimens.front();
    const ObjectRun object{.bucket = specimen.bucket, .name = specimen.name, .args = specimen.args, .deadline = steady_now() + kShellTrialTimeMax};
    MemorySource source(specimen.content);
    DigestSink sink;
    FilterRun run(spec, program, object, source, sink, spawns);
    const RunResult result = co_await run.run();
    const std::optional<ExitStatus> end = run.own_end();
    const std::string words = one_line(run.printed());
    if (result.has_value()) co_return words.substr(0, kWordsMax);
    if (!end || end->signalled || (end->number != kNotExecutable && end->number != kNotFound)) co_return std::string();
    co_return fail(Code::not_found, "at a trial: " + result.error().error.context);
}

}  // namespace millrace::runtime
