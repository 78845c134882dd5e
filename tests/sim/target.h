// A simulated target: its folder, and the process that runs from it, which is the shipped worker::TargetCore between simulated ends.
//
// A process that is killed is cut off from everything at once: its folder, the network, its transform. What it still computes has no effect,
// and ends in its own time.
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/sim/attempts.h"
#include "tests/sim/disk.h"
#include "tests/sim/fuse.h"
#include "tests/sim/instance.h"
#include "tests/sim/objects.h"
#include "tests/sim/put_request.h"
#include "tests/sim/truth.h"
#include "worker/target_core.h"

namespace millrace::sim {

class Cluster;

class Target {
public:
    Target(Cluster& cluster, std::string id);
    ~Target();

    void start();
    void kill(bool power_cut);
    // Dies after so many further writes and messages.
    void kill_after(std::uint64_t effects, bool power_cut) { fuse_.light(effects, power_cut); }
    void keep_alive() { fuse_.put_out(); }
    // The folder as it was at the snapshot, or an empty one, is put in the place of the one that there is. While it is down.
    void take_snapshot();
    void restore(bool empty);
    // Stops on purpose, and says so.
    void shut_down();
    bool is_up() const { return process_ != nullptr; }
    bool is_up(std::uint64_t boot) const { return is_up() && boot == boot_; }
    const std::string& id() const { return id_; }
    Cluster& cluster() { return cluster_; }
    // Its database takes no more writes: it ends, to be started again.
    bool must_restart() const;
    // Removes dead processes that do not compute any more. True when there is none left.
    bool bury_the_dead();

    void enable_transform(bool enabled);
    void crash_instance();
    // Of the process that runs; requires is_up().
    Instance& instance();

    // What another target, or this one, has to say to an output. The boot id of the process that took it.
    Result<std::string> take_output(const PutRequest& put);
    // Of an attempt of its own, under the guard of its run.
    Result<std::string> publish(const PutRequest& put, const store::ChangeGuard& guard);
    // All outputs that it has taken become durable.
    Result<std::string> sync();
    // Of the newest order; UINT64_MAX when there is none any more.
    std::uint64_t current_fence(const std::string& job) const;
    // An attempt has settled an object; it counts as done once a checkpoint says so.
    void made(const std::string& job, const std::string& name, const DoneAs& as);

    Disk disk;

private:
    struct Process;
    std::string boot_id() const { return id_ + "-" + std::to_string(boot_); }
    void saw_write(const state::Batch& batch, bool sync);
    void saw_status(const wire::SliceStatus& status) const;
    void saw_order(const std::string& job, bool is_new);
    void saw_checkpoint(const std::string& job);
    Task<Result<std::string>> ask_to_sync(std::string to);
    void effect();
    void lose_power();
    bool open_process();

    Cluster& cluster_;
    const std::string id_;
    std::uint64_t boot_ = 0;
    bool enabled_ = true;
    std::optional<Disk> snapshot_;
    std::uint64_t stores_ = 1;
    Fuse fuse_;
    std::unique_ptr<Process> process_;
    std::list<std::unique_ptr<Process>> dying_;
    std::map<std::string, std::map<std::string, DoneAs>> made_;  // by job and name
};

}  // namespace millrace::sim
