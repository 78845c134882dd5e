// The shell of a slice on a simulated target: it carries out what the slice machine asks for, against a simulated disk and
// transform, and reports what the slice reporter says.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/disk.h"
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
    };
    struct Page {
        std::vector<std::string> names;
        std::string last;
        bool at_end = false;
    };

    void later(Duration delay, std::function<void()> action);
    Page scan(const std::string& after, const std::string& up_to, std::size_t entries_max) const;
    bool selects(const std::string& name) const;
    void survey_page();
    void feed();
    void start(const worker::Dispatch& dispatch);
    void read(std::uint64_t ticket);
    void remove(std::uint64_t ticket);
    void transform(std::uint64_t ticket);
    void transform_ended(std::uint64_t ticket);
    void put(std::uint64_t ticket);
    void failed(std::uint64_t ticket, worker::Blame blame, Error error, const std::string& sink = "");
    void fills_the_disk(std::uint64_t ticket, const std::string& sink);
    void begin_checkpoint();
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
    bool surveying_ = false;
    bool rewind_ = false;
    Instant wake_at_ = Instant::max();

    // Outputs that are not durable yet: by target, the boot that took the first of them.
    std::map<std::string, std::uint64_t> touched_;
    std::map<std::string, std::uint64_t> done_;  // object → version, since the last checkpoint
    struct Barrier {
        worker::CheckpointWork work;
        std::map<std::string, std::uint64_t> touched;
        std::map<std::string, std::uint64_t> done;
        std::size_t waits_for = 0;
        bool failed = false;
        bool lost = false;  // a target lost outputs
    };
    std::unique_ptr<Barrier> barrier_;
};

}  // namespace millrace::sim
