// A simulated proxy: the shell around the scheduler and the membership. It carries out effects in order; a job that was
// persisted survives its death, which may come between two effects.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/leadership.h"
#include "scheduler/membership.h"
#include "scheduler/pins.h"
#include "scheduler/scheduler.h"

namespace millrace::sim {

class Cluster;

class Proxy {
public:
    explicit Proxy(Cluster& cluster);

    void start();
    void kill();
    void take_snapshot() { snapshot_ = folder_; }
    // The folder as it was at the snapshot. While it is down.
    void restore();
    // What an operator who reads its problems does.
    void accept_what_is_refused();
    bool has_problems() const;
    // Dies after so many further effects.
    void kill_after(std::uint64_t effects) { effects_left_ = effects; }
    bool is_up() const { return scheduler_ != nullptr; }

    // The commands of a user. False when the proxy is down or the job's state does not allow it.
    bool submit(scheduler::Job job, const std::vector<std::string>& objects);
    bool command(const std::string& job, const scheduler::Scheduler::Command& change);
    bool start_again(const std::string& job, scheduler::Again how, bool with_current);
    // False when the proxy is down, or a job that has not ended uses what would change.
    bool destroy_bucket(const std::string& bucket);
    bool rename_bucket(const std::string& from, const std::string& to);
    bool create_bucket(const std::string& bucket);
    // Another one under its name.
    bool replace_transform(const std::string& transform);
    bool remove(const std::string& job);
    // As it is known now; nullptr when the proxy is down or does not know it.
    const scheduler::Job* find(const std::string& job) const;

private:
    void receive(const std::string& from, const std::string& process, const wire::Message& message);
    void receive_hello(const std::string& from, const wire::Hello& hello);
    void receive_heartbeat(const std::string& from, const wire::Heartbeat& heartbeat);
    std::string boot_id() const { return "proxy-" + std::to_string(boot_); }
    void tick();
    void carry_out();
    // What a job is about may have gone.
    void check_jobs();
    bool change_catalog(const scheduler::DesiredCatalog& changed);
    void persist(const std::string& job);
    // Acknowledged progress never goes back.
    void check_progress(const std::string& job, const std::string& target);

    Cluster& cluster_;
    std::uint64_t boot_ = 0;
    std::uint64_t ticks_ = 0;
    std::optional<std::uint64_t> effects_left_;
    std::unique_ptr<scheduler::Membership> membership_;
    std::unique_ptr<scheduler::Leadership> leadership_;
    std::unique_ptr<scheduler::Scheduler> scheduler_;
    std::map<std::pair<std::string, std::string>, wire::Counters> seen_;  // by job and target, since the last start

    struct Folder {
        std::map<std::string, std::string> jobs;
        std::map<std::string, std::vector<std::string>> objects;
        wire::OwnLineage lineage;
        std::map<std::string, scheduler::KnownMember> known;
        std::uint64_t age = 0;
    };
    Folder folder_;
    std::optional<Folder> snapshot_;
    std::uint64_t branches_ = 0;
    // Never of an older copy: what becomes of a catalog then is told by its own tests.
    scheduler::DesiredCatalog catalog_{wire::Catalog{}};
    std::uint64_t programs_ = 0;
};

}  // namespace millrace::sim
