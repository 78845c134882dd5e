// One object through one filter process: start it, feed stdin, collect stdout, keep the tail of stderr, learn how it ended.
//
// Everything happens on the launcher's executor, which run() is called on. Memory is one chunk each way; small objects that lie in
// memory are written into the pipe before the process even starts.
#pragma once
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>

#include "core/descriptor.h"
#include "runtime/filter_launcher.h"
#include "runtime/instance.h"
#include "runtime/spawn.h"
#include "runtime/tail.h"

namespace millrace::runtime {

inline constexpr Duration kFilterTermGrace = std::chrono::seconds(1);  // from SIGTERM to SIGKILL

// What every run of a filter shares.
struct FilterProgram {
    std::string file;
    std::vector<std::string> argv;
    std::shared_ptr<const Sandbox> sandbox;  // null: none
    Descriptor loader_list;        // of Landlock, for the program that its children are forked of
    Limits limits;
    bool is_pipeline = false;      // of a shell that tells of any command that failed
    std::vector<std::string> env;  // without kObjectVariables
    std::string workdir;           // as all below: empty for the run's own folder
    std::string tmpdir;
    std::string home;
};

class FilterRun {
public:
    FilterRun(const TransformSpec& spec, const FilterProgram& program, const ObjectRun& object, Source& source, Sink& sink,
              FilterLauncher& launcher);

    // Once. Leaves no descriptor behind, and no process but those that Stragglers tells of, however it ends. A cancelled run ends its
    // processes and fails with Code::cancelled.
    Task<RunResult> run();
    // The end of its standard error.
    std::string printed() const { return stderr_tail_.text(); }
    // How the process ended, if it did by itself.
    std::optional<ExitStatus> own_end() const { return cause_ ? std::nullopt : exit_; }

private:
    Task<RunResult> run_to_end();
    Task<Result<Child>> start();
    SpawnRequest request() const;
    Task<void> end_rest(pid_t session);
    Result<void> open_pipes();
    Result<bool> fill(const Descriptor& pipe);
    Task<void> supervise();
    Task<void> feed();
    Task<void> feed_whole();
    Task<bool> write_all(std::span<const std::byte> bytes);
    Task<void> collect();
    Task<void> drain_stderr();
    Task<void> watch_exit();
    Task<void> wait_for_rest();
    void fail_with(Failure failure);
    bool is_ended() const;
    void end_child();
    void check_time();
    void check_disk();
    void drain_stderr_now();
    RunResult result();
    Instant held_output_since() const;
    bool stopped_writing() const;
    std::string exit_text() const;

    const TransformSpec& spec_;
    const FilterProgram& program_;
    const ObjectRun& object_;
    Source& source_;
    Sink& sink_;
    FilterLauncher& launcher_;
    FilterProcesses& processes_;
    const Mark mark_;
    Executor executor_;

    Descriptor child_stdin_;   // the child's ends, closed once it has them
    Descriptor child_stdout_;
    Descriptor child_stderr_;
    boost::asio::posix::stream_descriptor stdin_;
    boost::asio::posix::stream_descriptor stdout_;
    boost::asio::posix::stream_descriptor stderr_;
    std::size_t chunk_bytes_;
    std::size_t filled_bytes_ = 0;    // of source_.whole(), before the start
    RunFolders* folders_ = nullptr;   // where it is from
    std::optional<RunFolders::Folder> folder_;
    bool folder_is_shared_ = false;   // with processes that live on
    std::optional<Child> child_;
    TaskGroup pumps_;
    TaskGroup watch_;
    Event wake_;                      // set when one of the facts below changed

    const Instant started_ = steady_now();
    std::optional<Failure> cause_;  // the first failure that was not the child's own end
    std::optional<ExitStatus> exit_;
    Instant exited_at_{};
    Instant reading_since_{};         // collect() waits for bytes since then; zero: it does not
    bool collected_ = false;          // stdout is at its end
    Instant next_look_{};             // at what it has in its folder; zero: never
    Instant asked_at_{};              // when its processes were told to end; zero: they were not
    bool killed_ = false;
    RunStats stats_;
    Tail stderr_tail_;
};

}  // namespace millrace::runtime
