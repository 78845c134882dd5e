// A simulated cluster: one proxy, a few targets, the network between them, and the truth that they are checked against.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/ids.h"
#include "core/placement.h"
#include "tests/sim/network.h"
#include "tests/sim/proxy.h"
#include "tests/sim/target.h"
#include "tests/sim/truth.h"
#include "tests/sim/world.h"

namespace millrace::sim {

struct Settings {
    TargetConfig target;
    std::uint32_t workers = 1;               // of each slice
    std::uint64_t transform_ms_max = 50;
    std::uint64_t put_ms_max = 10;
    std::uint64_t blocking_ms_max = 20;      // of a call that blocks: a sync, a checkpoint
    std::uint32_t put_late_permille = 0;     // puts that take seconds, and may land after their sender has died
    std::uint32_t blocking_late_permille = 0;
    std::uint32_t feed_fails_permille = 0;
    std::uint32_t list_late_permille = 0;    // of the source
    std::uint32_t read_fails_permille = 0;
    std::uint32_t bucket_fails_permille = 0; // of creations, renamings and destructions, while there are faults
    std::uint32_t write_fails_permille = 0;  // of databases, whose node is then started again
    bool copies = false;                     // folders are restored from older copies
};

class Cluster {
public:
    Cluster(std::uint64_t seed, std::size_t targets, Settings settings);
    ~Cluster();

    Target& target(const std::string& id);
    std::vector<std::unique_ptr<Target>>& targets() { return targets_; }
    const std::vector<TargetId>& target_ids() const { return ids_; }
    const Placement& placement() const { return placement_; }

    // Runs the next event of the world. False when there is none.
    bool step();
    Duration blocking_time();

    void put_source(const std::string& name);
    void remove_source(const std::string& name);

    // Looks, from within a process, which must not see an exception: what is broken the world tells.
    void look(const std::function<void()>& check);
    // A slice of a job that its target has not known came to be there.
    void selected(const std::string& target, const std::string& job);
    void check_slice(const std::string& target, const std::string& job);
    void check_slices();
    Disks disks() const;

    const Settings settings;
    bool is_closing = false;  // nothing starts any more
    World world;
    Network network;
    Truth truth;
    Proxy proxy;

private:
    std::vector<TargetId> ids_;
    const Placement placement_{1, ids_};
    std::vector<std::unique_ptr<Target>> targets_;
    std::map<std::string, std::uint64_t> versions_;
};

}  // namespace millrace::sim
