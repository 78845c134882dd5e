// A filter: one process per object, nothing running in between but, where it pays, one of its program that waits before main.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "runtime/filter_run.h"
#include "runtime/instance.h"
#include "runtime/run_gate.h"

namespace millrace::runtime {

class FilterInstance final : public Instance {
public:
    FilterInstance(TransformSpec spec, InstanceEnvironment environment);

    Task<Result<void>> start() override;
    Task<void> stop() override;
    Task<RunResult> run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;
    // Every run has a process of its own anyway.
    Task<RunResult> run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) override;

    InstanceStatus status() const override;
    std::string log_tail() const override;
    std::uint64_t log_bytes() const override;
    bool knows_secret(std::string_view) const override { return false; }  // a filter asks nobody for anything
    ServerUsage usage() const override { return {}; }
    const TransformSpec& spec() const override { return spec_; }

private:
    Result<std::shared_ptr<FilterProgram>> find() const;
    Task<Result<void>> prepare();
    Task<void> keep_trying();
    Task<void> choose_start();
    Task<void> end_stragglers();
    Task<void> kill_late();
    std::shared_ptr<const FilterProgram> program() const;
    void keep_log(const Failure& failure);

    const TransformSpec spec_;
    const InstanceEnvironment environment_;
    RunGate gate_;
    FilterProcesses processes_;
    Forking forking_;
    std::vector<std::unique_ptr<RunFolders>> folders_;        // of each lane, used there; in sandboxes two: of spawned children, and of forked ones
    std::vector<std::unique_ptr<FilterLauncher>> launchers_;  // one per lane, used there; gone after stop()
    TaskGroup tasks_;   // control executor
    Event stopping_;    // control executor
    Event runs_ended_;  // control executor; after stopping_

    mutable std::mutex mutex_;
    InstanceState state_ = InstanceState::initializing;   // guarded by mutex_, as all below
    std::string reason_;
    std::shared_ptr<const FilterProgram> program_;        // null while it cannot run
    Tail log_;
    std::uint64_t log_bytes_ = 0;
    std::atomic<std::uint64_t> runs_{0};
    std::atomic<std::uint64_t> ended_{0};  // of these
    std::atomic<std::uint64_t> failures_{0};
};

}  // namespace millrace::runtime
