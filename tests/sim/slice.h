// The shell of a slice on a simulated target: it carries out what the slice machine asks for, against a simulated disk and
// transform, and reports what the slice reporter says.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/disk.h"
#include "tests/sim/truth.h"
#include "worker/remote_outputs.h"
#include "worker/slice_machine.h"
#include "worker/slice_reporter.h"

namespace millrace::sim {

class Target;

class Slice {
public:
    Slice(Target& target, std::string job, SliceDisk& disk, std::uint64_t id);

    void order(bool fresh);
    void transform_changed();
    // The instance died, or was stopped, while it had the object.
    void instance_gone(std::uint64_t ticket, const Error& error);
    void acknowledged(const wire::StatusAck& ack);
    void start_over();
    // Does whatever is due.
    void pump();
    std::uint64_t id() const { return id_; }
    worker::SliceState state() const { return machine_.state(); }

private:
    struct Attempt {
        std::string name;
        bool isolated = false;
        std::uint64_t fence = 0;
        std::uint64_t number = 0;  // tells it from an earlier attempt with the same ticket
        std::uint64_t version = 0;
        std::uint64_t bytes = 0;
        wire::Pins pins{};
        std::uint64_t epoch = 0;
        std::uint64_t digest = 0;
    };
    struct Page {
        std::vector<std::string> names;
        std::string last;
        bool at_end = false;
    };

    void later(Duration delay, std::function<void()> action);
    Page scan(const std::string& after, const std::string& up_to, std::size_t entries_max) const;
    bool selects(const std::string& name) const;
    // The buckets and the transform that the job pins are those that have the names here.
    bool pins_hold() const;
    void survey_page();
    void feed();
    void start(const worker::Dispatch& dispatch);
    // What runs ends soon; what it has sent on its way may arrive all the same.
    void end_attempts();
    // Unless the attempt has ended before.
    void later(Duration delay, std::uint64_t ticket, void (Slice::*step)(std::uint64_t ticket));
    bool is_on(std::uint64_t ticket, std::uint64_t number) const;
    void interrupt(std::uint64_t ticket);
    void read(std::uint64_t ticket);
    void remove(std::uint64_t ticket);
    void transform(std::uint64_t ticket);
    void transform_ended(std::uint64_t ticket);
    void put(std::uint64_t ticket);
    void failed(std::uint64_t ticket, worker::Blame blame, Error error, const std::string& sink = "");
    void fills_the_disk(std::uint64_t ticket, const std::string& sink);
    void begin_checkpoint();
    void touched(const std::string& target, std::uint64_t boot);
    void synced(const std::string& to, const Result<std::uint64_t>& boot);
    void write_checkpoint();
    void end_checkpoint(bool durable, const std::string& reason);
    void report();
    void check() const;
    void wake();

    Target& target_;
    const std::string job_;
    SliceDisk& disk_;
    const std::uint64_t id_;
    worker::SliceMachine machine_;
    worker::SliceReporter reporter_;
    std::map<std::uint64_t, Attempt> attempts_;  // by ticket
    std::uint64_t attempts_begun_ = 0;
    std::uint64_t epoch_ = 0;  // of the order under which it works
    bool surveying_ = false;
    bool rewind_ = false;
    Instant wake_at_ = Instant::max();

    worker::RemoteOutputs touched_;  // here and elsewhere: outputs that are not durable yet
    std::map<std::string, DoneAs> done_;  // objects since the last checkpoint
    struct Barrier {
        worker::CheckpointWork work;
        worker::RemoteOutputs::ByTarget touched;
        std::map<std::string, DoneAs> done;
        std::size_t waits_for = 0;
        bool failed = false;
        bool lost = false;  // a target lost outputs
    };
    std::unique_ptr<Barrier> barrier_;
};

}  // namespace millrace::sim
