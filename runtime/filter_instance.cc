#include "runtime/filter_instance.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/filter_trial.h"
#include "runtime/forkable.h"
#include "runtime/orphans.h"
#include "runtime/outcome.h"
#include "runtime/sandbox_words.h"
#include "runtime/shell_pipeline.h"
#include "spec/command_line.h"

namespace millrace::runtime {
namespace {
constexpr std::size_t kLogBytesMax = 64 * 1024;
constexpr Duration kRetryMin = std::chrono::milliseconds(100);
constexpr Duration kRetryMax = std::chrono::seconds(10);
constexpr Duration kIdlePause = std::chrono::seconds(1);
constexpr Duration kInstanceEndTimeMax = std::chrono::seconds(5);

// The value of a variable, which is taken out; empty when there is none.
std::string take(std::vector<std::string>& environment, const std::string& name) {
    std::string value;
    std::erase_if(environment, [&](const std::string& variable) {
        if (!variable.starts_with(name + '=')) return false;
        value = variable.substr(name.size() + 1);
        return true;
    });
    return value;
}

std::string folder_above(const std::string& folder) { return folder.substr(0, folder.rfind('/')); }
}  // namespace

FilterInstance::FilterInstance(TransformSpec spec, InstanceEnvironment environment)
    : spec_(std::move(spec)), environment_(std::move(environment)), processes_(folder_above(environment_.folder)),
      tasks_(environment_.control), stopping_(environment_.control), runs_ended_(environment_.control), log_(kLogBytesMax) {
    forking_.transform = spec_.name;
    forking_.library = environment_.fork_library.empty() ? find_fork_library() : environment_.fork_library;
    for (const Executor& lane : environment_.lanes) {
        const std::string prefix = environment_.folder + "/run-" + std::to_string(launchers_.size());
        folders_.push_back(std::make_unique<RunFolders>(prefix + '.'));
        RunFolders& spawned = *folders_.back();
        if (environment_.sandboxes) folders_.push_back(std::make_unique<RunFolders>(prefix + "-fork.", RunFolders::Users::one));
        launchers_.push_back(std::make_unique<FilterLauncher>(forking_, processes_, spawned, *folders_.back(), lane));
    }
}

Task<Result<void>> FilterInstance::start() {
    Result<void> prepared = co_await prepare();
    if (gate_.is_closed()) co_return prepared;
    tasks_.spawn(end_stragglers());
    if (prepared.has_value()) {
        tasks_.spawn(choose_start());
    } else {
        tasks_.spawn(keep_trying());
    }
    co_return prepared;
}

Task<void> FilterInstance::stop() {
    gate_.close();
    processes_.children.close(SIGTERM);
    stopping_.set();
    tasks_.spawn(kill_late());
    {
        const std::lock_guard lock(mutex_);
        state_ = InstanceState::stopped;
        reason_ = "stopped";
    }
    co_await gate_.wait_empty();
    runs_ended_.set();
    co_await tasks_.join();
    launchers_.clear();
    const MarkFilter of_this_filter = [this](Mark mark) { return processes_.marks.is_instances(mark); };
    if (!co_await end_marked(of_this_filter, kInstanceEndTimeMax)) log::error("processes of a filter do not end", {{"transform", spec_.name}});
    remove_folder(environment_.folder);
}

Task<void> FilterInstance::kill_late() {
    if (!co_await runs_ended_.wait_until(steady_now() + kFilterTermGrace)) processes_.children.close(SIGKILL);
}

// What runs have left behind ends when no run has been on for a moment.
Task<void> FilterInstance::end_stragglers() {
    std::uint64_t runs_before = 0;
    while (!co_await stopping_.wait_until(steady_now() + kIdlePause)) {
        const std::uint64_t ended = ended_;
        const std::uint64_t runs = runs_;
        const bool is_idle = runs == ended && runs == std::exchange(runs_before, runs);
        const std::set<Mark> left = is_idle ? processes_.stragglers.take_all() : std::set<Mark>();
        const MarkFilter of_these = [&left](Mark mark) { return left.contains(mark); };
        if (!left.empty()) (void)co_await end_marked(of_these, kInstanceEndTimeMax);
        if (is_idle) reap_orphans();
    }
}

Task<RunResult> FilterInstance::run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    const auto pass = gate_.enter();
    if (!pass) co_return std::unexpected(stopped_failure(spec_.name));
    ++runs_;
    const auto program = this->program();
    if (!program) {
        ++ended_;
        ++failures_;
        co_return std::unexpected(transform_failure(Code::unavailable, status().reason));
    }
    FilterRun run(spec_, *program, object, source, sink, *launchers_.at(lane));
    RunResult result = co_await run.run();
    const bool is_alone = runs_ - ended_++ == 1;
    if (!result.has_value()) {
        ++failures_;
        result.error().may_be_chance = !is_alone && result.error().error.code == Code::rejected;
        keep_log(result.error());
    }
    co_return result;
}

Task<RunResult> FilterInstance::run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) {
    return run(lane, object, source, sink);
}

InstanceStatus FilterInstance::status() const {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<const Sandbox> sandbox = program_ ? program_->sandbox : nullptr;
    return {.state = state_, .reason = reason_, .start = forking_.wanted ? "forked" : "spawned",
            .sandbox = program_ ? sandbox_text(sandbox.get()) : "", .sandbox_lacks = sandbox ? sandbox->lacks() : "", .runs = runs_, .failures = failures_};
}

std::string FilterInstance::log_tail() const {
    const std::lock_guard lock(mutex_);
    return log_.text();
}

std::uint64_t FilterInstance::log_bytes() const {
    const std::lock_guard lock(mutex_);
    return log_bytes_;
}

// Finds out whether the filter is on this machine, and makes the folder for those of its runs.
Result<std::shared_ptr<FilterProgram>> FilterInstance::find() const {
    auto program = std::make_shared<FilterProgram>();
    MILLRACE_TRY(make_folder(environment_.folder));
    MILLRACE_TRY(check_workdir(spec_));
    program->workdir = spec_.workdir;
    const bool is_sandboxed = environment_.sandboxes && !spec_.sandbox.off;
    const std::string path = is_sandboxed && environment_.sandboxes->has_users() ? passable_path(child_path(spec_)) : child_path(spec_);
    const std::string bash = find_program("bash", path, "").value_or("");
    const auto pipeline = failing_pipeline(spec_.argv, bash);
    program->is_pipeline = pipeline.has_value();
    program->argv = pipeline.value_or(spec_.argv);
    const std::string& relative_to = spec_.workdir.empty() ? environment_.folder : spec_.workdir;
    MILLRACE_TRY_ASSIGN(program->file, find_program(program->argv.at(0), path, relative_to));
    MILLRACE_TRY_ASSIGN(program->sandbox, Sandbox::make(environment_.sandboxes, spec_, {.program = program->file, .library = forking_.library}));
    program->limits = program->sandbox ? program->sandbox->limits(spec_.limits) : spec_.limits;
    if (program->sandbox) {
        MILLRACE_TRY_ASSIGN(program->loader_list, program->sandbox->list({environment_.folder}));
        if (program->sandbox->has_users() && ::chmod(environment_.folder.c_str(), 0711) < 0) {
            return errno_error("cannot open " + environment_.folder + " to the users of sandboxes", errno);
        }
    }
    program->env = child_environment(spec_, "", {{"PATH", path}});
    for (const char* const name : {"MILLRACE_BUCKET", "MILLRACE_OBJECT", "MILLRACE_ARGS"}) (void)take(program->env, name);
    program->tmpdir = take(program->env, "TMPDIR");
    program->home = take(program->env, "HOME");
    if (is_sandboxed && !spec_.env.contains("HOME")) program->home.clear();  // the target's own is closed to it
    return program;
}

// Whether it can run here, as far as can be known without an object.
Task<Result<void>> FilterInstance::prepare() {
    const Result<std::shared_ptr<FilterProgram>> found = find();
    Result<std::string> tried = std::string();
    if (!found) {
        tried = found.error();
    } else if (environment_.tries_shells && spec::is_shell_text(spec_.argv)) {
        tried = co_await try_shell(spec_, **found, processes_, environment_.folder, environment_.control);
    }
    const std::lock_guard lock(mutex_);
    if (state_ == InstanceState::stopped) co_return fail(Code::unavailable, "stopped");
    if (!tried) {
        Error error = start_failure(spec_.name, tried.error());
        state_ = InstanceState::restarting;
        reason_ = error.context;
        co_return error;
    }
    program_ = *found;
    state_ = InstanceState::running;
    reason_ = tried->empty() ? "" : "it can run, but printed at a trial: " + *tried;
    co_return Result<void>{};
}

Task<void> FilterInstance::keep_trying() {
    for (Duration pause = kRetryMin; !co_await stopping_.wait_until(steady_now() + pause); pause = std::min(2 * pause, kRetryMax)) {
        if (const Result<void> prepared = co_await prepare(); prepared) {
            log::info("transform ready", {{"transform", spec_.name}});
            co_await choose_start();
            co_return;
        }
    }
}

// Runs are spawned until this has decided.
Task<void> FilterInstance::choose_start() {
    if (environment_.forking == ForkChoice::never) co_return;
    const auto program = this->program();
    Result<void> chosen;
    if (environment_.forking == ForkChoice::where_it_pays) {
        chosen = co_await try_forking(spec_, *program, forking_.library, processes_, environment_.folder, environment_.control);
    } else if (const std::string obstacle = fork_obstacle(program->file, program->env, forking_.library); !obstacle.empty()) {
        chosen = fail(Code::unavailable, obstacle);
    }
    if (gate_.is_closed()) co_return;
    forking_.wanted = chosen.has_value();
    if (chosen.has_value()) {
        log::info("filter is forked", {{"transform", spec_.name}});
    } else {
        log::info("filter is spawned", {{"transform", spec_.name}, {"reason", chosen.error().context}});
    }
    if (environment_.changed) environment_.changed();
}

std::shared_ptr<const FilterProgram> FilterInstance::program() const {
    const std::lock_guard lock(mutex_);
    return program_;
}

void FilterInstance::keep_log(const Failure& failure) {
    if (failure.stderr_tail.empty()) return;
    const std::lock_guard lock(mutex_);
    const std::string text = failure.stderr_tail.ends_with('\n') ? failure.stderr_tail : failure.stderr_tail + "\n";
    log_.append(text);
    log_bytes_ += text.size();
}

}  // namespace millrace::runtime
