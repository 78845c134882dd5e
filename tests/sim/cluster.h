// A simulated cluster: one proxy, a few targets, the network between them, and the truth that they are checked against.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "tests/sim/network.h"
#include "tests/sim/proxy.h"
#include "tests/sim/target.h"
#include "tests/sim/truth.h"
#include "tests/sim/world.h"

namespace millrace::sim {

struct Settings {
    worker::SliceOptions slice;
    std::uint64_t transform_ms_max = 50;
    std::uint64_t put_ms_max = 10;
    std::uint32_t put_late_permille = 0;     // puts that take seconds, and may land after their sender has died
    std::uint32_t feed_fails_permille = 0;
    std::uint32_t read_fails_permille = 0;
    bool copies = false;                     // folders are restored from older copies
};

class Cluster {
public:
    Cluster(std::uint64_t seed, std::size_t targets, Settings settings);

    Target& target(const std::string& id);
    std::vector<std::unique_ptr<Target>>& targets() { return targets_; }
    const std::vector<TargetId>& target_ids() const { return ids_; }

    void put_source(const std::string& name);
    void remove_source(const std::string& name);
    // As a job does it: not durable yet. False when there is none that was created before.
    bool remove_source(const std::string& name, std::uint64_t created_seq_end);

    void check_slices();
    Disks disks() const;

    const Settings settings;
    World world;
    Network network;
    Truth truth;
    Proxy proxy;

private:
    std::vector<TargetId> ids_;
    std::vector<std::unique_ptr<Target>> targets_;
    std::map<std::string, std::uint64_t> versions_;
};

}  // namespace millrace::sim
