// What a proxy knows and decides, with its effects carried out: membership, catalog and scheduler in memory, written down
// through a MetadataStore, told to the targets over the bus. The HTTP handlers call it.
//
// Control loop only. Commits block that loop for about a millisecond: they are few, and everything after them relies on them.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/loop.h"
#include "http/client.h"
#include "scheduler/desired_catalog.h"
#include "scheduler/job_request.h"
#include "scheduler/leadership.h"
#include "scheduler/membership.h"
#include "scheduler/pins.h"
#include "scheduler/scheduler.h"
#include "state/metadata_store.h"
#include "wire/links.h"

namespace millrace::scheduler {

class ProxyCore {
public:
    // Reads what was written down. A damaged record names itself. aside: for what takes long; one thread, so that what is large comes one
    // after the other. list_part_bytes_max: of the parts in which a job's list travels.
    static Result<std::unique_ptr<ProxyCore>> open(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata,
                                                   std::size_t list_part_bytes_max = kPartBytesMax);
    ~ProxyCore();  // requires stop()
    // It was started in spite of a loss: should targets know more than it does, it is accepted at once.
    void accept_loss() { accepts_loss_ = true; }

    using OpenLink = std::function<Result<std::unique_ptr<wire::LinkToTargets>>(wire::LinkToTargets::Receive)>;
    // Begins to answer. http_port: where the proxy's HTTP server listens.
    Result<void> start(std::uint16_t http_port, const OpenLink& open_link);
    Task<void> stop();

    // ---- buckets and transforms; each returns when every online target has applied it. Code::unavailable, with the target and its reason,
    // when one has not: the change is made all the same, and the target goes on trying.
    Task<Result<void>> create_bucket(std::string name, std::uint64_t small_object_bytes_max);
    // Both are Code::conflict while a job that has not ended uses the bucket.
    Task<Result<void>> destroy_bucket(std::string name);
    Task<Result<void>> rename_bucket(std::string from, std::string to);
    // Registered only when it runs on every online target: otherwise Code::rejected with the target and its reason.
    Task<Result<void>> add_transform(std::string name, std::string spec_json, Duration init_timeout);
    Task<Result<void>> remove_transform(std::string name);
    // Stopping returns when nothing of it runs any more.
    Task<Result<void>> enable_transform(std::string name, bool enabled);
    // new_version: not null: what it computes may be another thing from now on, although its words are the same. The version is
    // this text; where that is empty, a number that follows the present one.
    Task<Result<void>> restart_transform(std::string name, std::optional<std::string> new_version);

    // A node whose folder is an older copy, or another, is believed from now on: a target's id, or this proxy's. What was done, as a sentence.
    Result<std::string> accept(const std::string& node);
    // What is wrong with the cluster's nodes, a sentence each with what to do. Empty when all is well.
    std::vector<std::string> problems() const;
    // Not empty: targets know a newer state of this proxy than it has, so it leads nobody.
    const std::string& outdated() const { return leadership_.outdated(); }

    // ---- jobs
    // The job's id, once every online target knows what was there; after a few seconds without that, too.
    // A repeated idempotency key gives the first job; with another request it is Code::conflict. Writes down a list aside.
    Task<Result<std::string>> submit(JobRequest request, std::string idempotency_key);
    // Resume or retry: scheduler/pins.h.
    Result<void> start_again(const std::string& id, Again how, bool with_current);
    Result<void> command(const std::string& id, const Scheduler::Command& change);
    Result<void> remove_job(const std::string& id);
    // Those that ended longer ago. How many.
    Result<std::size_t> remove_jobs_older_than(milliseconds age);
    // Returns when something about jobs or members may have changed, or at the deadline.
    Task<void> wait_for_change(Instant deadline);

    // Why nothing can be written down now; empty: it can.
    void set_obstacle(std::string reason) { obstacle_ = std::move(reason); }
    const std::string& obstacle() const { return obstacle_; }

    const Scheduler& jobs() const { return scheduler_; }
    const Membership& members() const { return membership_; }
    const DesiredCatalog& catalog() const { return catalog_; }
    const std::string& proxy_id() const { return proxy_id_; }
    const std::string& cluster_id() const { return cluster_id_; }
    IsOnline is_online() const;
    std::vector<TargetId> target_ids() const;
    Result<http::Endpoint> endpoint_of(const std::string& target) const;
    // The owner's endpoint; Code::unavailable while it is offline or no target has joined.
    Result<http::Endpoint> owner_endpoint(std::string_view object_name) const;
    http::Client& client() { return client_; }
    // The one place for a large body; null while it is taken.
    using LargeBody = std::shared_ptr<void>;
    LargeBody large_body();
    BlockingPool& aside() { return aside_; }

private:
    struct Restored;
    ProxyCore(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata, std::size_t list_part_bytes_max,
              Restored restored);
    Result<void> restore_jobs();
    void receive(const std::string& route, wire::Message message);
    void receive_hello(const std::string& route, const wire::Hello& hello);
    void receive_heartbeat(const std::string& route, const wire::Heartbeat& heartbeat);
    void receive_transforms(const std::string& target, wire::TransformStatus status);
    void welcome(const std::string& route, const wire::Hello& hello, bool is_new_process);
    Result<void> accept_self();
    // An error while this proxy leads nobody.
    Result<void> check_leads() const;
    void housekeep(Instant now);
    Task<void> run();
    void tick();
    Task<Result<std::string>> accept(JobRequest request, std::string idempotency_key, std::string id, ListedObjects objects);
    // Carries effects out: what must be written down is, before anything of it is told. On an error it stays to be written, and what
    // speaks of it is not told: all of that is said again.
    Result<void> flush();
    Result<void> write_jobs();
    bool may_tell(const wire::Message& message) const;
    // Of a change that was taken back: the record may have got onto the disk all the same, so it is written, or erased, once more.
    Error not_done(const Error& error, const std::string& what) const;
    Result<void> refuse_if_used(const std::string& bucket) const;
    Result<void> commit_catalog(const DesiredCatalog& changed);
    Result<void> write_catalog(const DesiredCatalog& changed);
    // Jobs that run end when what they are about is there no more.
    void check_jobs();
    Task<void> wait_until_accepted(const std::string& job);
    Result<void> commit_members();
    std::string members_record() const;
    Result<void> commit_lineage(const wire::OwnLineage& own);
    void send_catalog(const std::string& target, Instant now);
    void broadcast(const wire::Message& message);
    void send(const std::string& target, const wire::Message& message);
    void send_to(const std::string& route, const wire::Message& message);
    void pulse();
    bool sealed() const { return !catalog_.wire().buckets.empty(); }
    // Whether a target is as it should be. An error ends the wait.
    using JudgeOfTarget = std::function<Result<bool>(const std::string& target, const Member& member)>;
    // Until every online target is; the name of one that was not at the deadline, or empty.
    Task<Result<std::string>> wait_for_targets(JudgeOfTarget judge, Instant deadline);
    // The entry of the catalog as it is now.
    Task<Result<void>> wait_until_applied(std::string entry, Duration patience);
    Task<Result<void>> wait_until_stopped(std::string transform, Duration patience);
    Task<Result<void>> wait_until_running(const std::string& transform, Duration patience);

    Loop& control_;
    BlockingPool& aside_;
    const ProxyConfig& config_;
    state::MetadataStore& metadata_;
    const std::size_t list_part_bytes_max_;
    DesiredCatalog catalog_;
    const std::string proxy_id_;
    const std::string cluster_id_;
    std::uint16_t http_port_ = 0;
    const std::string boot_id_;
    Membership membership_;
    Scheduler scheduler_;
    http::Client client_;
    std::unique_ptr<wire::LinkToTargets> link_;
    std::weak_ptr<void> large_body_;
    std::map<std::string, bool> unwritten_;  // jobs whose records are behind, at most all; true: the list of its objects, too
    std::set<std::string> unerased_;         // and those that are to go
    bool is_catalog_unsure_ = false;         // a change was refused: it is written as it is once more
    bool cannot_write_ = false;
    Leadership leadership_;
    bool accepts_loss_ = false;
    wire::Catalog newest_catalog_;     // that a target has, while this proxy leads nobody
    struct CatalogSent {
        std::uint64_t version = 0;
        Instant at{};
        Duration pause{};              // until it is told again
    };
    std::map<std::string, CatalogSent> catalog_sent_;  // by member
    Instant next_housekeeping_{};
    TaskGroup tasks_;
    Event changed_;
    Event stop_;
    bool stopping_ = false;
    Instant next_beat_{};
    std::string obstacle_;
};

}  // namespace millrace::scheduler
