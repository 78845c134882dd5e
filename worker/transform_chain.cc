#include "worker/transform_chain.h"

#include <algorithm>

#include "core/hash.h"
#include "worker/handed_out.h"

namespace millrace::worker {
namespace {

// The ends of a run, which tell its clock what moves, and when they are what is waited for.
class TimedSource final : public Source {
public:
    TimedSource(Source& source, ObjectClock& clock) : source_(source), clock_(clock) {}
    std::optional<std::uint64_t> size() const override { return source_.size(); }
    std::optional<std::string_view> whole() const override { return source_.whole(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const ObjectClockPause pause(clock_);
        Result<std::size_t> count = co_await source_.read(buffer);
        if (count) clock_.took(*count, steady_now());
        co_return count;
    }

private:
    Source& source_;
    ObjectClock& clock_;
};

class TimedSink final : public Sink {
public:
    TimedSink(Sink& sink, ObjectClock& clock) : sink_(sink), clock_(clock) {}
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        const ObjectClockPause pause(clock_);
        Result<void> written = co_await sink_.write(bytes);
        if (written) clock_.gave(bytes.size(), steady_now());
        co_return written;
    }
    void break_off(const Error& error) override { sink_.break_off(error); }

private:
    Sink& sink_;
    ObjectClock& clock_;
};

runtime::RunResult run_failed(Blame blame, Error error) { return std::unexpected(Failure{blame, std::move(error), {}}); }

Task<runtime::RunResult> pass_on(Source& source, Sink& sink) {
    if (const auto whole = source.whole()) {
        const Result<void> written = co_await sink.write(as_bytes(*whole));
        if (!written) co_return run_failed(Blame::sink, written.error());
        co_return runtime::RunStats{whole->size(), whole->size()};
    }
    std::vector<std::byte> chunk(kBodyChunkBytes);
    std::uint64_t passed = 0;
    for (;;) {
        const Result<std::size_t> count = co_await source.read(chunk);
        if (!count) co_return run_failed(Blame::source, count.error());
        if (*count == 0) co_return runtime::RunStats{passed, passed};
        const std::span<const std::byte> bytes(chunk.data(), *count);
        const Result<void> written = co_await sink.write(bytes);
        if (!written) co_return run_failed(Blame::sink, written.error());
        passed += *count;
        co_await next_turn();  // neither side waits for anything when both are files
        if (co_await is_cancelled()) co_return run_failed(Blame::sink, fail(Code::cancelled, "the copy was given up"));
    }
}

// A spool folder that takes no more is an obstacle like a full destination, and not the object's fault.
runtime::RunResult copy_failed(const Error& error) {
    const bool is_folder = error.code == Code::no_space || error.code == Code::permission;
    return run_failed(is_folder ? Blame::sink : Blame::source, error);
}

}  // namespace

Result<TransformChain> TransformChain::find(const TransformTable& transforms, const SpoolFolder& spool, std::span<const std::string> names,
                                            std::span<const state::PinnedDigest> pinned) {
    TransformChain chain(spool);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string& name = names[i];
        const std::uint64_t digest = i < pinned.size() ? pinned[i].digest : 0;
        std::shared_ptr<const Transform> transform = transforms.find(name);
        if (!transform || (digest != 0 && transform->digest != digest)) {
            MILLRACE_TRY(transforms.ready(name, digest));
            return fail(Code::unavailable, "transform '" + name + "' is not running here");
        }
        chain.transforms_.push_back(std::move(transform));
    }
    return chain;
}

milliseconds TransformChain::timeout() const {
    milliseconds longest{0};
    for (const auto& transform : transforms_) longest = std::max(longest, transform->instance->spec().obj_timeout_ms);
    return longest;
}

std::uint64_t TransformChain::digest() const {
    if (empty()) return 0;
    std::uint64_t sum = transforms_.front()->digest;
    for (auto further = std::next(transforms_.begin()); further != transforms_.end(); ++further) {
        sum = xxh64(std::to_string((*further)->digest), sum);
    }
    return sum;
}

std::function<bool()> TransformChain::stop_watch() const {
    std::vector<std::weak_ptr<runtime::Instance>> instances;
    for (const auto& transform : transforms_) instances.push_back(transform->instance);
    return [instances = std::move(instances)] {
        return std::ranges::any_of(instances, [](const std::weak_ptr<runtime::Instance>& watched) {
            const auto instance = watched.lock();
            return instance && instance->status().state == runtime::InstanceState::stopped;
        });
    };
}

bool TransformChain::answers_in_line() const {
    if (empty()) return false;
    const spec::Communication last = transforms_.back()->instance->spec().communication;
    return last == spec::Communication::ws || last == spec::Communication::stream;
}

bool TransformChain::reads_by_itself() const {
    if (empty()) return false;
    const spec::TransformSpec& first = transforms_.front()->instance->spec();
    return first.file_paths || first.communication == spec::Communication::hpull;
}

Task<runtime::RunResult> TransformChain::feed(Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated, store::ObjectReader& reader,
                                              Sink& sink) const {
    runtime::RunResult ran = co_await feed_stages(lane, std::move(run), timeout, isolated, reader, sink);
    if (!ran) co_return ran;
    const Result<void> verified = co_await reader.verify();
    if (!verified) co_return run_failed(Blame::source, verified.error());
    co_return ran;
}

Task<runtime::RunResult> TransformChain::feed_stages(Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated,
                                                     store::ObjectReader& reader, Sink& sink) const {
    if (empty()) co_return co_await pass_on(reader, sink);
    const std::string destination = std::exchange(run.destination, "");
    if (single() != nullptr) run.destination = destination;
    std::unique_ptr<SpooledFile> copy;
    if (transforms_.front()->instance->spec().file_paths) {
        run.file_path = reader.file_path();
        if (run.file_path.empty()) {
            auto made = co_await SpooledFile::make(*spool_, run.name, reader);
            if (!made) co_return copy_failed(made.error());
            copy = std::move(*made);
            run.file_path = copy->path();
        }
        if (transforms_.front()->instance->spec().kind == spec::Kind::oci) {
            const Result<void> open = hand_out(run.file_path);
            if (!open) co_return run_failed(Blame::sink, open.error());  // the object itself was read
        }
    }
    std::unique_ptr<Spool> between;
    std::uint64_t bytes_in = 0;
    for (std::size_t stage = 0;; ++stage) {
        const bool is_last = stage + 1 == transforms_.size();
        auto next = is_last ? nullptr : std::make_unique<Spool>(*spool_);
        const std::unique_ptr<Source> made_before = between ? between->source() : nullptr;
        Source& from = made_before ? *made_before : reader;
        Sink& to = next ? static_cast<Sink&>(*next) : sink;
        runtime::RunResult ran = co_await feed_stage(stage, lane, run, timeout, isolated, from, to);
        if (!ran.has_value()) co_return ran;
        if (stage == 0) bytes_in = ran->bytes_in;
        if (is_last) {
            ran->bytes_in = bytes_in;
            co_return ran;
        }
        between = std::move(next);
        run.file_path.clear();
        run.is_stored = false;
        if (stage + 2 == transforms_.size()) run.destination = destination;
    }
}

Task<runtime::RunResult> TransformChain::feed_stage(std::size_t stage, Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated,
                                                    Source& source, Sink& sink) const {
    runtime::Instance& instance = *transforms_[stage]->instance;
    const Instant begun = steady_now();
    ObjectClock clock(timeout, begun);
    run.clock = &clock;
    const bool has_it_all = source.whole() || !run.file_path.empty() || (stage == 0 && reads_by_itself());
    if (has_it_all) clock.took(source.size().value_or(0), begun);
    TimedSource from(source, clock);
    TimedSink to(sink, clock);
    runtime::RunResult ran = isolated ? co_await instance.run_isolated(lane.index, run, from, to) : co_await instance.run(lane.index, run, from, to);
    transforms_[stage]->metrics->count(ran, steady_now() - begun);
    if (!ran.has_value() && single() == nullptr && ran.error().blame == Blame::transform) {
        ran.error().error = ran.error().error.during("transform '" + instance.spec().name + "'");
    }
    co_return ran;
}

}  // namespace millrace::worker
