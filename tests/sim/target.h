// A simulated target: the shell around its slices, its transform instance, and its side of the control protocol.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/disk.h"
#include "tests/sim/slice.h"
#include "wire/codec.h"
#include "worker/list_assembly.h"

namespace millrace::sim {

class Cluster;

class Target {
public:
    Target(Cluster& cluster, std::string id);

    void start();
    void kill(bool power_cut);
    // The folder as it was at the snapshot, or an empty one, is put in the place of the one that there is. While it is down.
    void take_snapshot();
    void restore(bool empty);
    // Stops on purpose, and says so.
    void shut_down();
    bool is_up() const { return up_; }
    const std::string& id() const { return id_; }
    std::uint64_t boot() const { return boot_; }

    // The transform of this target: a user's switch, and death by accident.
    void enable_transform(bool enabled);
    void crash_instance();
    // Before its proxy knows that it is the right folder nothing runs.
    bool has_joined() const { return joined_; }
    bool transform_takes_objects() const { return enabled_ && instance_up_ && joined_; }
    // An object is in the shared instance from enter to leave; a crash takes all of them.
    void enter_instance(const std::string& job, std::uint64_t ticket) { in_instance_.emplace(job, ticket); }
    void leave_instance(const std::string& job, std::uint64_t ticket) { in_instance_.erase({job, ticket}); }

    // The data plane: a put to another target, and the request to make its outputs durable. The answer carries the boot of
    // the process that gave it, and is lost when the sender is gone.
    using PutDone = std::function<void(Slice&, Result<std::uint64_t> boot)>;
    void put(const std::string& to, Put put, const PutDone& done);
    // Of the newest order; UINT64_MAX when there is none any more.
    std::uint64_t current_fence(const std::string& job) const;
    void sync(const std::string& to, const std::string& job, const PutDone& done);

    // Runs the action on the slice, unless it is gone by then.
    void later(Duration delay, const std::string& job, std::function<void(Slice&)> action);
    void send(const wire::Message& message);
    Slice* find(const std::string& job);
    Cluster& cluster() { return cluster_; }

    Disk disk;

private:
    std::string boot_id() const { return id_ + "-" + std::to_string(boot_); }
    void receive(const std::string& process, const wire::Message& message);
    void tick();
    void take_welcome(const wire::Welcome& welcome);
    void take_catalog(const wire::Catalog& catalog);
    void take_directive(const wire::Directive& directive);
    void adopt(const wire::Directive& directive);
    void select(const std::string& job, SliceDisk& slice);
    void restart_instance();
    void answer(const std::string& job, const PutDone& done, Result<std::uint64_t> result);

    Cluster& cluster_;
    const std::string id_;
    bool up_ = false;
    std::uint64_t boot_ = 0;
    bool enabled_ = true;
    std::optional<Disk> snapshot_;
    std::uint64_t stores_ = 1;

    // Of the running process.
    std::map<std::string, std::unique_ptr<Slice>> slices_;
    worker::ListAssembly lists_;
    std::set<std::pair<std::string, std::uint64_t>> in_instance_;
    bool instance_up_ = false;
    bool joined_ = false;
    std::uint64_t instance_ = 0;
    std::optional<std::string> proxy_boot_;  // while welcomed
    Instant last_heard_{};
    Instant last_hello_{};
};

}  // namespace millrace::sim
