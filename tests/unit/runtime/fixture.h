// What the tests of transforms share: a control loop, two lanes, a folder that goes away, bodies that misbehave.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/loop.h"
#include "runtime/instance.h"

namespace millrace::runtime {

using spec::filter_spec;

class TempDir {
public:
    TempDir() {
        char name[] = "/tmp/runtime-test-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    std::string file(const std::string& name, const std::string& text, bool executable = false) const {
        const std::string file = path_ + '/' + name;
        std::ofstream(file) << text;
        if (executable) std::filesystem::permissions(file, std::filesystem::perms::owner_all);
        return file;
    }

private:
    std::string path_;
};

// `size` bytes of a fixed pattern, read in pieces; optionally fails or blocks at an offset.
class PatternSource : public Source {
public:
    explicit PatternSource(std::uint64_t size) : size_(size) {}
    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (offset_ >= fails_at) co_return fail(Code::corrupt, "the disk lies");
        if (offset_ >= ends_at) co_return 0;
        if (offset_ >= blocks_at) co_await sleep_for(std::chrono::minutes(5));
        const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>({buffer.size(), size_ - offset_, 50'000}));
        for (std::size_t i = 0; i < count; ++i) buffer[i] = at(offset_ + i);
        checksum_.update(buffer.first(count));
        offset_ += count;
        co_return count;
    }
    static std::byte at(std::uint64_t offset) { return static_cast<std::byte>('a' + (offset * 7 + offset / 1000) % 26); }
    std::uint64_t checksum() const { return checksum_.value(); }
    std::uint64_t offset() const { return offset_; }

    std::uint64_t fails_at = ~0ull;
    std::uint64_t ends_at = ~0ull;
    std::uint64_t blocks_at = ~0ull;

private:
    std::uint64_t size_;
    std::uint64_t offset_ = 0;
    Checksum checksum_;
};

class ChecksumSink : public Sink {
public:
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        if (size + bytes.size() > fails_after) co_return fail(Code::no_space, "the disk is full");
        checksum_.update(bytes);
        size += bytes.size();
        piece_max = std::max(piece_max, bytes.size());
        co_return Result<void>{};
    }
    std::uint64_t checksum() const { return checksum_.value(); }

    std::uint64_t size = 0;
    std::size_t piece_max = 0;
    std::uint64_t fails_after = ~0ull;

private:
    Checksum checksum_;
};

// Waits until the condition holds, for ten seconds at most.
inline bool eventually(const std::function<bool()>& condition) {
    const Instant deadline = steady_now() + std::chrono::seconds(10);
    while (!condition()) {
        if (steady_now() > deadline) return false;
        ::usleep(2000);
    }
    return true;
}

inline std::size_t words_in(const std::string& file) {
    std::ifstream in(file);
    std::string word;
    std::size_t words = 0;
    while (in >> word) ++words;
    return words;
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

inline bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Children of this process, zombies included.
inline std::vector<int> children() {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream stat(entry.path() / "stat");
        std::string line;
        if (!std::getline(stat, line)) continue;
        std::istringstream behind_name(line.substr(line.rfind(')') + 2));
        char state = 0;
        int parent = 0;
        behind_name >> state >> parent;
        if (parent == ::getpid()) found.push_back(std::stoi(entry.path().filename()));
    }
    return found;
}

inline bool is_alive(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(stat, line)) return false;
    const char state = line.at(line.rfind(')') + 2);
    return state != 'Z' && state != 'X';
}

struct Outcome {
    RunResult result;
    std::string output;

    bool ok() const { return result.has_value(); }
    Code code() const { return result.has_value() ? Code{} : result.error().error.code; }
    Blame blame() const { return result.has_value() ? Blame{} : result.error().blame; }
    std::string text() const { return result.has_value() ? "ok" : result.error().error.context; }
};

class InstanceTest : public ::testing::Test {
protected:
    ~InstanceTest() override { stop(); }

    Result<void> start(const TransformSpec& spec, const std::string& folder = "instance") {
        InstanceEnvironment environment{control_.executor(), {lane_.executor(), other_lane_.executor()}, dir_.path() + '/' + folder};
        environment.forking = forking_;
        environment.tries_shells = tries_shells_;
        environment.fork_library = MILLRACE_FORK_LIBRARY;
        environment.sandboxes = sandboxes_;
        instance_ = make_instance(spec, environment);
        return run_blocking(control_, instance_->start());
    }
    void stop() {
        if (instance_) run_blocking(control_, instance_->stop());
        instance_.reset();
    }

    ObjectRun object(const std::string& args = "") const {
        return {"sounds", "a/clip 7.wav", args, steady_now() + timeout_};
    }
    RunResult run(const ObjectRun& object, Source& source, Sink& sink) { return run_blocking(lane_, instance_->run(0, object, source, sink)); }
    Outcome run(const std::string& input, const std::string& args = "") {
        MemorySource source(input);
        MemorySink sink(64 << 20);
        const ObjectRun one = object(args);
        RunResult result = run(one, source, sink);
        return {std::move(result), sink.bytes()};
    }
    Outcome run_isolated(const std::string& input) {
        MemorySource source(input);
        MemorySink sink(64 << 20);
        const ObjectRun one = object();
        RunResult result = run_blocking(lane_, instance_->run_isolated(0, one, source, sink));
        return {std::move(result), sink.bytes()};
    }

    TempDir dir_;
    Duration timeout_ = std::chrono::seconds(20);
    ForkChoice forking_ = ForkChoice::never;
    bool tries_shells_ = false;
    std::shared_ptr<const SandboxHost> sandboxes_;
    Loop control_{"control"};
    Loop lane_{"lane"};
    Loop other_lane_{"other"};
    std::unique_ptr<Instance> instance_;
};

// A filter whose processes are spawned, and again one whose processes are forked: nothing that a test sees may differ.
class BothStartsTest : public InstanceTest, public ::testing::WithParamInterface<ForkChoice> {
protected:
    BothStartsTest() { forking_ = GetParam(); }

    Result<void> start_filter(const TransformSpec& spec) {
        auto started = start(spec);
        if (started.has_value() && forking_ == ForkChoice::always && !spec.argv.at(0).starts_with(dir_.path())) {  // a script
            EXPECT_TRUE(eventually([&] { return instance_->status().start == "forked"; }));
        }
        return started;
    }
    // What a lane keeps between runs.
    std::size_t loaded_programs() const { return instance_ && instance_->status().start == "forked" ? 1 : 0; }
    void start_filter(const std::string& cmd) {
        const auto spec = filter_spec("a-filter", cmd);
        ASSERT_TRUE(spec.has_value()) << spec.error().context;
        const auto started = start_filter(*spec);
        ASSERT_TRUE(started.has_value()) << started.error().context;
    }
};

inline const auto kBothStarts = ::testing::Values(ForkChoice::never, ForkChoice::always);
inline std::string start_name(const ::testing::TestParamInfo<ForkChoice>& info) {
    return info.param == ForkChoice::never ? "Spawned" : "Forked";
}

}  // namespace millrace::runtime
