// Starting a program as a child process in a session of its own, without a terminal, and learning how it ended.
//
// The child runs nothing of this process but a few raw system calls before exec, so it is safe with threads. It dies with
// the thread that spawned it, or that it was born in. Any thread. The other way to start a filter's child is `runtime/fork_server.h`.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/result.h"
#include "runtime/child_setup.h"
#include "runtime/confined_threads.h"
#include "runtime/run_mark.h"
#include "spec/transform_spec.h"

namespace millrace::runtime {

using spec::Limits;

struct SpawnRequest {
    std::string file;               // the program's path, see find_program
    std::vector<std::string> argv;  // at least argv[0]
    std::vector<std::string> env;   // "NAME=value", all of the child's environment
    std::string folder;             // working folder
    int stdin_fd = -1;              // -1: /dev/null; not owned
    int stdout_fd = -1;
    int stderr_fd = -1;
    Limits limits;
    Mark mark = 0;                  // see run_mark.h
    MillraceSandbox sandbox{};      // what it refers to must live until the child runs
    ConfinedThreads* threads = nullptr;  // that are in the shared part of it; null: the child enters all by itself
    int loader_list = 0;            // of Landlock, for a program that children are forked of: each then enters sandbox.list; 0: none
};

struct ExitStatus {
    bool signalled = false;
    int number = 0;  // of the signal, or the exit status

    bool ok() const { return !signalled && number == 0; }
    std::string text() const;  // "exit status 3", "killed by SIGSEGV"
};

// A running child, or one that ended and was not yet reaped: its process id, also as the id of its group, is not reused
// until reap(). Destroying it kills the group and reaps.
class Child {
public:
    Child() = default;
    Child(pid_t pid, Descriptor pidfd);
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)), pidfd_(std::move(other.pidfd_)) {}
    Child& operator=(Child&&) = delete;
    ~Child();

    void signal_group(int signal) const;  // nothing when there is no child any more
    // It has ended, by itself and with success.
    bool has_ended_well() const;
    // Requires that the pidfd is readable (it ended); waits for it otherwise.
    ExitStatus reap();

    pid_t pid() const { return pid_; }        // 0: none, or reaped
    int pidfd() const { return pidfd_.get(); }  // readable when the child has ended

private:
    pid_t pid_ = 0;
    Descriptor pidfd_;
};

// Code::not_found or Code::permission with the reason when it could not be executed, Code::too_large when argv and env
// are, else Code::unavailable.
Result<Child> spawn(const SpawnRequest& request);

// What spawn() is made of, for who starts children in another way.
void set_limits(MillraceChildSetup& setup, const Limits& limits, Mark mark);  // and the parent, which is this process
Error start_error(const SpawnRequest& request, MillraceStep step, int error);
// A child of ours that somebody else made, and that was not reaped. On failure it is killed and reaped.
Result<Child> adopt_child(pid_t pid);

// The path of the program that argv[0] names: searched in the folders of `path` (as in $PATH), or as it stands when it
// contains a slash, relative to folder. Code::not_found "command not found: gzipp", Code::permission when not executable.
Result<std::string> find_program(const std::string& name, const std::string& path, const std::string& folder);

struct Pipe {
    Descriptor read;
    Descriptor write;
};
// Close-on-exec. ours: the end that is kept, made non-blocking.
enum class PipeEnd { read, write };
Result<Pipe> make_pipe(PipeEnd ours);

}  // namespace millrace::runtime
