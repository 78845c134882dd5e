// A simulated proxy: its folder, and the process that runs from it, which is the shipped scheduler::ProxyCore between simulated ends.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/proxy_core.h"
#include "tests/sim/folder.h"
#include "tests/sim/fuse.h"

namespace millrace::sim {

class Cluster;

class Proxy {
public:
    explicit Proxy(Cluster& cluster);
    ~Proxy();

    void start();
    void kill(bool power_cut = false);
    // Dies after so many further writes and messages.
    void kill_after(std::uint64_t effects, bool power_cut) { fuse_.light(effects, power_cut); }
    void take_snapshot() { snapshot_ = folder_; }
    // The folder as it was at the snapshot. While it is down.
    void restore();
    // What an operator who reads its problems does.
    void accept_what_is_refused();
    bool has_problems() const;
    bool is_up() const { return process_ != nullptr; }
    // Its database takes no more writes: it ends, to be started again.
    bool must_restart() const;
    // Removes dead processes that do not compute any more. True when there is none left.
    bool bury_the_dead();

    // The commands of a user. Those that take a while end later, or never, when the proxy dies meanwhile.
    using Answer = std::function<void(const Result<std::string>& job)>;
    void submit(scheduler::JobRequest request, const std::string& key, const Answer& answer);
    using Change = std::function<Task<Result<void>>(scheduler::ProxyCore& core)>;
    void act(const std::string& what, const Change& change);
    // Gives the transform another program under its name.
    void replace_transform(const std::string& transform);
    // As it is known now; nullptr when the proxy is down or does not know it.
    const scheduler::Job* find(const std::string& job) const;
    // A change that a user asked for is under way.
    bool is_changing() const;
    bool has_bucket(const std::string& bucket) const;
    bool has_transform(const std::string& transform) const;
    std::size_t members_online() const;
    // Versions of the catalog: its own, and what each target says it has.
    std::string catalog_versions() const;

    DiskFaults faults;

private:
    struct Process;
    Task<void> begin(Process& process);
    Task<bool> open(Process& process);
    // Null while it is down, or coming up.
    scheduler::ProxyCore* core() const;
    void accept(const std::string& node);
    void effect();
    void saw_write(const state::Batch& batch);
    void saw_job(const std::string& record);
    // Acknowledged progress never goes back.
    void check_progress(const std::string& job);

    Cluster& cluster_;
    Folder folder_;
    std::optional<Folder> snapshot_;
    std::uint64_t boot_ = 0;
    std::uint64_t programs_ = 0;
    Fuse fuse_;
    std::unique_ptr<Process> process_;
    std::list<std::unique_ptr<Process>> dying_;
    struct Seen {
        SliceCounters counters;
        std::string loss;
    };
    std::map<std::pair<std::string, std::string>, Seen> seen_;  // by job and target, since the last start
};

}  // namespace millrace::sim
