#include "runtime/filter_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "core/units.h"
#include "runtime/disk_usage.h"
#include "runtime/limit_words.h"
#include "runtime/orphans.h"
#include "runtime/outcome.h"
#include "runtime/sandbox_words.h"
#include "runtime/wait_readable.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPipeBytes = 64 * 1024;                // what a pipe holds by default
constexpr std::uint64_t kLargeObjectBytes = 1024 * 1024;     // from here on larger pipes and chunks pay
constexpr std::size_t kVariableBytesMax = 128 * 1024 - 64;   // the kernel's bound on one argument or variable
constexpr Duration kHeldOutputGrace = std::chrono::seconds(1);
constexpr Duration kRunEndPause = std::chrono::milliseconds(5);
constexpr Duration kRunEndTimeMax = std::chrono::seconds(3);
constexpr Duration kDiskPause = std::chrono::seconds(1);
constexpr std::size_t kStragglersMax = 32;

Result<void> watch(asio::posix::stream_descriptor& descriptor, Descriptor end) {
    boost::system::error_code error;
    descriptor.assign(end.get(), error);
    if (error) return fail(Code::unavailable, "cannot watch a pipe: " + error.message());
    end.release();
    return {};
}

bool is_small(const Source& source) { return source.size().value_or(kLargeObjectBytes) < kLargeObjectBytes; }

}  // namespace

FilterRun::FilterRun(const TransformSpec& spec, const FilterProgram& program, const ObjectRun& object, Source& source, Sink& sink,
                     FilterLauncher& launcher)
    : spec_(spec), program_(program), object_(object), source_(source), sink_(sink), launcher_(launcher),
      processes_(launcher.processes()), mark_(processes_.marks.next_run()), executor_(launcher.executor()), stdin_(executor_), stdout_(executor_),
      stderr_(executor_), chunk_bytes_(is_small(source) ? kPipeBytes : kBodyChunkBytes), pumps_(executor_), watch_(executor_), wake_(executor_),
      stderr_tail_(spec.stderr_bytes_max) {}

Task<RunResult> FilterRun::run() {
    // A cancelled run has to clean up with further waits, so those must not throw.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    RunResult ended = co_await run_to_end();
    if (folder_) folders_->give_back(*std::move(folder_), !folder_is_shared_);
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return ended;
}

Task<RunResult> FilterRun::run_to_end() {
    if (object_.args.size() > kVariableBytesMax || object_.args.find('\0') != std::string::npos) {
        co_return std::unexpected(transform_failure(Code::rejected, "the arguments are longer than 128 KiB or hold a NUL byte"));
    }
    auto started = co_await start();
    if (!started.has_value()) {
        const bool is_too_large = started.error().code == Code::too_large;
        co_return std::unexpected(transform_failure(is_too_large ? Code::rejected : Code::unavailable, started.error().context));
    }
    child_.emplace(std::move(*started));
    const pid_t session = child_->pid();
    if (!processes_.children.add(session)) {
        child_->signal_group(SIGKILL);
        exit_ = child_->reap();
        co_await end_rest(session);
        co_return std::unexpected(stopped_failure(spec_.name));
    }
    watch_.spawn(watch_exit());
    pumps_.spawn(collect());
    pumps_.spawn(drain_stderr());
    if (stdin_.is_open()) pumps_.spawn(feed());
    co_await supervise();
    // Of what still runs, nothing matters any more: a feeder whose reader is gone, a stderr that somebody holds open.
    pumps_.cancel();
    co_await pumps_.join();
    co_await watch_.join();
    co_await end_rest(session);
    drain_stderr_now();
    co_return result();
}

Task<Result<Child>> FilterRun::start() {
    MILLRACE_CO_TRY(open_pipes());
    folders_ = &launcher_.folders();
    auto folder = folders_->take(program_.sandbox.get());
    if (!folder.has_value()) co_return folder.error();
    folder_.emplace(*std::move(folder));
    const SpawnRequest wanted = request();
    auto child = co_await launcher_.launch(wanted, *folders_);
    child_stdin_.close();
    child_stdout_.close();
    child_stderr_.close();
    co_return child;
}

SpawnRequest FilterRun::request() const {
    const std::string& own = folder_->path();
    const auto given_or_own = [&](const std::string& given) { return given.empty() ? own : given; };
    SpawnRequest request;
    request.file = program_.file;
    request.argv = program_.argv;
    request.env = program_.env;
    request.env.push_back("MILLRACE_BUCKET=" + object_.bucket);  // these last: kObjectVariables
    request.env.push_back("MILLRACE_OBJECT=" + object_.name);
    request.env.push_back("MILLRACE_ARGS=" + object_.args);
    request.env.push_back("TMPDIR=" + given_or_own(program_.tmpdir));
    request.env.push_back("HOME=" + given_or_own(program_.home));
    request.folder = given_or_own(program_.workdir);
    request.stdin_fd = child_stdin_.get();
    request.stdout_fd = child_stdout_.get();
    request.stderr_fd = child_stderr_.get();
    request.limits = program_.limits;
    request.mark = mark_;
    if (program_.sandbox) {
        request.sandbox = program_.sandbox->child(folder_->list(), folder_->user());
        request.threads = program_.sandbox->threads(request.sandbox);
        if (program_.loader_list.is_open()) request.loader_list = program_.loader_list.get();
    }
    return request;
}

Result<void> FilterRun::open_pipes() {
    MILLRACE_TRY_ASSIGN(Pipe in, make_pipe(PipeEnd::write));
    MILLRACE_TRY_ASSIGN(Pipe out, make_pipe(PipeEnd::read));
    MILLRACE_TRY_ASSIGN(Pipe err, make_pipe(PipeEnd::read));
    if (chunk_bytes_ > kPipeBytes) {  // a smaller pipe is only slower
        (void)::fcntl(in.write.get(), F_SETPIPE_SZ, static_cast<int>(chunk_bytes_));
        (void)::fcntl(out.read.get(), F_SETPIPE_SZ, static_cast<int>(chunk_bytes_));
    }
    if (program_.sandbox && program_.sandbox->has_users()) {
        // For who opens them once more by name, as /dev/stdout: nobody else gets to them.
        for (const Descriptor* const end : {&in.read, &out.write, &err.write}) ::fchmod(end->get(), 0666);
    }
    child_stdin_ = std::move(in.read);
    child_stdout_ = std::move(out.write);
    child_stderr_ = std::move(err.write);
    MILLRACE_TRY_ASSIGN(const bool filled, fill(in.write));
    if (!filled) MILLRACE_TRY(watch(stdin_, std::move(in.write)));
    MILLRACE_TRY(watch(stdout_, std::move(out.read)));
    return watch(stderr_, std::move(err.read));
}

// Writes a small object into its pipe. False when there is more for feed() to do: the object is large, or the pipe was small.
Result<bool> FilterRun::fill(const Descriptor& pipe) {
    const auto whole = source_.whole();
    if (!whole || whole->size() > kPipeBytes) return false;
    if (!whole->empty()) {
        const ssize_t written = ::write(pipe.get(), whole->data(), whole->size());
        if (written < 0 && errno != EAGAIN) return errno_error("cannot write into a pipe", errno);
        filled_bytes_ = written < 0 ? 0 : static_cast<std::size_t>(written);
    }
    stats_.bytes_in = filled_bytes_;
    return filled_bytes_ == whole->size();
}

// Returns when the child has ended and its output is complete, or when both are no longer worth waiting for.
Task<void> FilterRun::supervise() {
    for (;;) {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            fail_with(transform_failure(Code::cancelled, "the run was cancelled"));
        }
        check_time();
        check_disk();
        // The filter is stopped: its results are not waited for, however slowly somebody takes them.
        if (processes_.children.is_closed() && !(exit_ && collected_)) fail_with(stopped_failure(spec_.name));
        if (cause_ && !killed_) end_child();
        if (exit_ && (collected_ || cause_)) co_return;
        wake_.clear();
        Instant until = cause_ ? steady_now() + kFilterTermGrace : object_.due();
        if (exit_ && !cause_) until = std::min(until, held_output_since() + kHeldOutputGrace);
        if (next_look_ != Instant{} && !cause_) until = std::min(until, next_look_);
        (void)co_await wake_.wait_until(until);
    }
}

void FilterRun::check_time() {
    const Instant now = steady_now();
    if (exit_ && collected_) return;
    if (now >= object_.due()) fail_with(timed_out_failure(object_, started_));
    if (exit_ && now >= held_output_since() + kHeldOutputGrace) {
        fail_with(transform_failure(Code::rejected, exit_->text() + ", but a process that it left behind holds its output open; "
                                                    "the filter must wait for the processes it starts"));
    }
}

// Each file has a limit that the kernel keeps; how much they are together is looked up now and then, in runs that last.
void FilterRun::check_disk() {
    if (!program_.sandbox || program_.sandbox->disk_bytes() == 0 || exit_ || cause_ || steady_now() < next_look_) return;
    const bool is_first = next_look_ == Instant{};
    next_look_ = steady_now() + kDiskPause;
    if (is_first) return;
    const std::uint64_t most = program_.sandbox->disk_bytes();
    if (disk_usage(folder_->path(), most) <= most) return;
    fail_with(transform_failure(Code::rejected, "it has written more than " + size_text(most) + " into its folder; if that is right, raise 'sandbox.disk'"));
}

// Since when nothing has come from an output whose process has ended; now while the sink is busy.
Instant FilterRun::held_output_since() const {
    return reading_since_ == Instant{} ? steady_now() : std::max(exited_at_, reading_since_);
}

Task<void> FilterRun::feed() {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (source_.whole()) {
        co_await feed_whole();
        co_return;
    }
    const auto chunk = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes_);
    const std::span<std::byte> buffer(chunk.get(), chunk_bytes_);
    while (!cause_) {
        const auto read = co_await source_.read(buffer);
        if (!read.has_value()) {
            fail_with(source_failure(read.error()));
            co_return;  // stdin stays open: the filter must not take this for the end
        }
        if (*read == 0 && stats_.bytes_in < source_.size().value_or(0)) {
            fail_with(source_failure(fail(Code::incomplete_body, "the source ended after " + std::to_string(stats_.bytes_in) + " of " +
                                                                     std::to_string(*source_.size()) + " bytes")));
            co_return;
        }
        if (*read == 0) break;
        if (!co_await write_all(buffer.first(*read))) break;
    }
    if (!cause_) stdin_.close();
}

Task<void> FilterRun::feed_whole() {
    const std::span<const std::byte> rest = as_bytes(source_.whole()->substr(filled_bytes_));
    (void)co_await write_all(rest);
    if (!cause_) stdin_.close();
}

// False when the filter does not read any more, which is its right: its exit status decides.
Task<bool> FilterRun::write_all(std::span<const std::byte> bytes) {
    while (!bytes.empty() && !cause_) {
        const auto [error, count] = co_await stdin_.async_write_some(asio::buffer(bytes.data(), bytes.size()), use_tuple);
        if (error) co_return false;
        bytes = bytes.subspan(count);
        stats_.bytes_in += count;
    }
    co_return bytes.empty();
}

Task<void> FilterRun::collect() {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto chunk = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes_);
    while (!cause_) {
        reading_since_ = steady_now();
        const auto [error, count] = co_await stdout_.async_read_some(asio::buffer(chunk.get(), chunk_bytes_), use_tuple);
        reading_since_ = {};
        if (error == asio::error::eof) {
            collected_ = true;
            break;
        }
        if (error) {
            fail_with(transform_failure(Code::transient, "its output cannot be read: " + error.message()));
            break;
        }
        stats_.bytes_out += count;
        const std::span<const std::byte> bytes(chunk.get(), count);
        const auto written = co_await sink_.write(bytes);
        if (!written.has_value()) fail_with(sink_failure(written.error()));
    }
    wake_.set();
}

Task<void> FilterRun::drain_stderr() {
    co_await asio::this_coro::throw_if_cancelled(false);
    std::array<char, 4096> chunk;
    for (;;) {
        const auto [error, count] = co_await stderr_.async_read_some(asio::buffer(chunk), use_tuple);
        if (error == asio::error::eof) stderr_.close();
        if (error) co_return;
        stderr_tail_.append({chunk.data(), count});
    }
}

Task<void> FilterRun::watch_exit() {
    asio::posix::stream_descriptor pidfd(executor_);
    boost::system::error_code error;
    pidfd.assign(child_->pidfd(), error);
    if (!error) (void)co_await wait_readable(pidfd);
    if (pidfd.is_open()) (void)pidfd.release();
    if (error) {
        fail_with(transform_failure(Code::unavailable, "cannot watch the process: " + error.message()));
        child_->signal_group(SIGKILL);
    }
    if (!error && child_->has_ended_well()) co_await wait_for_rest();
    processes_.children.remove(child_->pid());
    // What it left behind; before reap(), while its group cannot be anybody else's. What was asked to end has its time for that.
    if (!is_ended() || mark_ == 0) child_->signal_group(SIGKILL);
    exit_ = child_->reap();
    exited_at_ = steady_now();
    wake_.set();
}

// What the process left behind may be writing the rest of the output: killed in the middle of that, it would leave a part that looks
// whole. What is silent for long is held by somebody who has forgotten it, and ends with the filter.
Task<void> FilterRun::wait_for_rest() {
    exited_at_ = steady_now();
    while (!collected_ && !cause_) {
        const Instant until = held_output_since() + kHeldOutputGrace;
        if (steady_now() >= until) co_return;
        (void)co_await wake_.wait_until(until);
    }
}

void FilterRun::fail_with(Failure failure) {
    if (!cause_) cause_ = std::move(failure);
    wake_.set();
}

// Not by itself.
bool FilterRun::is_ended() const { return cause_ || processes_.children.is_closed(); }

// First it is asked: who started something elsewhere, a container perhaps, can end that.
void FilterRun::end_child() {
    const Instant now = steady_now();
    if (asked_at_ == Instant{}) {
        asked_at_ = now;
        pumps_.cancel();
        if (!exit_) child_->signal_group(SIGTERM);
        if (!exit_) child_->signal_group(SIGCONT);
    }
    if (now < asked_at_ + kFilterTermGrace) return;
    killed_ = true;
    if (!exit_) child_->signal_group(SIGKILL);
}

// What still runs of it. After a run that ended by itself, in a session of its own, it may be of use to other runs.
Task<void> FilterRun::end_rest(pid_t session) {
    if (is_ended()) {
        const Instant until = exited_at_ + kFilterTermGrace;
        while (steady_now() < until && lives_in_group(mark_, session)) co_await sleep_for(kRunEndPause);
        const MarkFilter of_this_run = [run = mark_](Mark mark) { return run != 0 && mark == run; };
        folder_is_shared_ = !co_await end_marked(of_this_run, kRunEndTimeMax);
    } else {
        folder_is_shared_ = has_orphans(mark_) && co_await end_marked_in_session(mark_, session, kRunEndTimeMax);
    }
    if (!folder_is_shared_ || processes_.stragglers.add(mark_) <= kStragglersMax || processes_.stragglers.prune() <= kStragglersMax) co_return;
    // So many are no service for others.
    const MarkFilter of_any = [runs = processes_.stragglers.take_all()](Mark mark) { return runs.contains(mark); };
    (void)co_await end_marked(of_any, kRunEndTimeMax);
}

// The last words of a child that has ended: they are in the pipe already.
void FilterRun::drain_stderr_now() {
    std::array<char, 4096> chunk;
    for (std::size_t round = 0; stderr_.is_open() && round < 64; ++round) {
        const ssize_t count = ::read(stderr_.native_handle(), chunk.data(), chunk.size());
        if (count <= 0) return;
        stderr_tail_.append({chunk.data(), static_cast<std::size_t>(count)});
    }
}

RunResult FilterRun::result() {
    if (cause_) {
        if (cause_->blame == Blame::transform) cause_->stderr_tail = stderr_tail_.text();
        return std::unexpected(*std::move(cause_));
    }
    if (processes_.children.is_closed()) return std::unexpected(stopped_failure(spec_.name));  // what it wrote may end where it was told to
    if (exit_->ok() || stopped_writing()) return stats_;
    const bool may_pass = !exit_->signalled && std::ranges::binary_search(spec_.retry_statuses, exit_->number);
    const Code code = exit_->signalled ? Code::crashed : may_pass ? Code::transient : Code::rejected;
    return std::unexpected(transform_failure(code, exit_text(), stderr_tail_.text()));
}

// A command of a pipe that was ended only because the next one had read enough, as in "zcat | head". The last one's reader, which is this
// target, always reads on.
bool FilterRun::stopped_writing() const {
    return program_.is_pipeline && !exit_->signalled && exit_->number == kShellSignalBase + SIGPIPE;
}

std::string FilterRun::exit_text() const {
    const std::string words = stderr_tail_.text();
    std::string text = exit_->text() + limit_words(program_.limits, *exit_, words);
    if (program_.sandbox) text += sandbox_words(spec_.sandbox, *exit_, words);
    const std::string last = stderr_tail_.last_line();
    return last.empty() ? text : text + ": " + last;
}

}  // namespace millrace::runtime
