// A transform on one target: the running filter or server that objects are fed to.
//
// Threads: start, stop and restarts happen on the control executor; run() is called on a lane's executor and stays there;
// status() and log_tail() from any thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/body.h"
#include "core/failure.h"
#include "core/loop.h"
#include "core/object_clock.h"
#include "core/task.h"
#include "http/server.h"
#include "runtime/direct_put.h"
#include "runtime/image_pin.h"
#include "spec/transform_spec.h"

namespace millrace::runtime {

using spec::Kind;
using spec::Listen;
using spec::TransformSpec;

class SandboxHost;

struct ObjectRun {
    std::string bucket;
    std::string name;
    std::string args;    // opaque text of the job or the request
    Instant deadline{};  // of a run without a clock: Code::timed_out when it passes
    std::string file_path{};  // where the content lies as a file, for a transform that reads files; empty: it comes as a body
    std::string destination{};  // "bucket/name" of the result where it may be delivered by direct put; empty: in the reply only
    bool is_stored = true;    // false: a result of an earlier transform of a chain, which nobody can ask this target for
    ObjectClock* clock = nullptr;  // its time, told by whoever owns its source and sink what moves

    // When its time is up, as far as can be said now: to be asked again then.
    Instant due() const { return clock != nullptr ? clock->deadline(steady_now()) : deadline; }
    // From when it is its turn.
    Duration allowed() const { return clock != nullptr ? clock->allowed() : deadline - steady_now(); }
};

struct RunStats {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

using RunResult = std::expected<RunStats, Failure>;

// aborted: it failed so often that it is not tried any more until somebody starts it again.
enum class InstanceState { initializing, running, restarting, aborted, stopped };
std::string_view state_name(InstanceState state);

struct ServerUsage {
    double cpu_seconds = 0;          // since the server was started
    std::uint64_t memory_bytes = 0;  // resident now
};

struct InstanceStatus {
    InstanceState state = InstanceState::stopped;
    std::string reason;             // why it is not running: "exit status 1: …", "command not found: …"
    int pid = 0;                    // of the server
    std::string start;              // of a filter's processes: "forked" or "spawned"; "" for a server
    std::string sandbox;            // what keeps its processes in: "landlock 7, seccomp, own uid, no network", or "off"; "": a container, or not known
    std::string sandbox_lacks;      // what this kernel or this target cannot do of it, in words
    std::string image;              // of a container: the content digest of its image, once it is known; "" otherwise
    std::string last_death;         // how the server ended last: exit status, signal or out of memory, and its last words
    std::string last_death_log;     // the last lines it wrote before that
    std::uint64_t restarts = 0;
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
};

class Instance {
public:
    virtual ~Instance() = default;

    // Returns when the transform is ready for objects, or with why it cannot be (missing binary, not ready within
    // init_timeout). After a failed start it keeps trying in the background with backoff until stop().
    virtual Task<Result<void>> start() = 0;
    // Kills every process of the transform, its whole process groups, and returns when they are gone and the runs that
    // were on have ended. Required before destruction once start() or run() was called; the lanes must still be running.
    virtual Task<void> stop() = 0;

    // Feeds one object through. The caller bounds how many run at once. lane: the index of the executor it runs on.
    // Reads the source and writes the sink at the same time; memory is bounded whatever the object's size.
    virtual Task<RunResult> run(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) = 0;
    // The same in a scratch instance that holds this object alone (callers queue): when it crashes, this object did it.
    virtual Task<RunResult> run_isolated(std::size_t lane, const ObjectRun& object, Source& source, Sink& sink) = 0;

    virtual InstanceStatus status() const = 0;
    // The last lines the transform wrote to stderr (and stdout, for a server), oldest first.
    virtual std::string log_tail() const = 0;
    // How many bytes it ever wrote there; the tail are the last of them.
    virtual std::uint64_t log_bytes() const = 0;
    // Whether this is what its server was told as the secret part of AIS_TARGET_URL.
    virtual bool knows_secret(std::string_view secret) const = 0;
    virtual ServerUsage usage() const = 0;
    virtual const TransformSpec& spec() const = 0;
};

// Where the children of a filter are forks of a program that waits before its main (`runtime/FORKSERVER.md`). always: wherever it
// is possible, without a trial.
enum class ForkChoice { never, where_it_pays, always };

struct InstanceEnvironment {
    Executor control;
    std::vector<Executor> lanes;           // that run() may be called on
    std::string folder;  // for sockets, pid files and working folders; made by the instance, removed by stop()
    std::shared_ptr<DirectPuts> direct_puts{};
    http::Handler callbacks{};                // what servers ask of their target: GET, HEAD and PUT on /v1/etl/_object/…
    std::vector<Executor> callback_lanes{};   // where they are called, not empty if there are servers that call
    std::string engine_socket{};              // of the container engine; empty: the usual places
    std::string target_folder{};              // of the target itself, which outlives its instances
    std::string owner{};                      // names this target on the containers that it makes
    std::shared_ptr<ImagePin> image{};        // of the transform, if it is a container
    std::function<void()> changed{};          // called on the control executor when a status has changed; null: nobody wants to know
    std::vector<std::string> object_folders{};  // where object files lie; read-only in the containers of transforms that use paths
    ForkChoice forking = ForkChoice::never;
    bool tries_shells = false;                  // a filter of a shell's text runs once on a small object before it is ready
    std::string fork_library{};                 // empty: see find_fork_library
    std::shared_ptr<const SandboxHost> sandboxes{};  // null: filters and servers run without
};

std::unique_ptr<Instance> make_instance(TransformSpec spec, InstanceEnvironment environment);

// Removes the containers that a target that died has left; owner and target_folder as in InstanceEnvironment. Before any
// instance is made.
Task<void> remove_leftover_containers(Executor executor, std::string target_folder, std::string owner);

// Kills what a target that died has left running, by the marks of its processes (`runtime/run_mark.h`) and by the pid files of its servers
// below folder, and removes their folders. Called before any instance is made.
void remove_leftovers(const std::string& folder);

}  // namespace millrace::runtime
