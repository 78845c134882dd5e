// What a proxy knows and decides, with its effects carried out: membership, catalog and scheduler in memory, written down
// through a MetadataStore, told to the targets over the bus. The HTTP handlers call it.
//
// Control loop only. Commits block that loop for about a millisecond: they are few, and everything after them relies on them.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/loop.h"
#include "http/client.h"
#include "scheduler/desired_catalog.h"
#include "scheduler/job_request.h"
#include "scheduler/membership.h"
#include "scheduler/pins.h"
#include "scheduler/scheduler.h"
#include "state/metadata_store.h"
#include "wire/bus.h"

namespace millrace::scheduler {

class ProxyCore {
public:
    // Reads what was written down. A damaged record names itself.
    static Result<std::unique_ptr<ProxyCore>> open(Loop& control, const ProxyConfig& config, state::MetadataStore& metadata);
    ~ProxyCore();  // requires stop()

    // Binds the control endpoint, writes it to <dir>/control_endpoint, and begins to answer.
    // http_port: where the proxy's HTTP server listens.
    Result<void> start(std::uint16_t http_port);
    Task<void> stop();

    // ---- buckets and transforms; each returns when every online target has applied it
    Task<Result<void>> create_bucket(std::string name, std::uint64_t small_object_bytes_max);
    // Both are Code::conflict while a job that has not ended uses the bucket.
    Task<Result<void>> destroy_bucket(std::string name);
    Task<Result<void>> rename_bucket(std::string from, std::string to);
    // Registered only when it runs on every online target: otherwise Code::rejected with the target and its reason.
    Task<Result<void>> add_transform(std::string name, std::string spec_json, Duration init_timeout);
    Task<Result<void>> remove_transform(std::string name);
    // Stopping returns when nothing of it runs any more.
    Task<Result<void>> enable_transform(std::string name, bool enabled);
    Task<Result<void>> restart_transform(std::string name);

    // ---- jobs
    // The job's id, once every online target knows what was there; after a few seconds without that, too.
    // A repeated idempotency key gives the first job; with another request it is Code::conflict.
    Task<Result<std::string>> submit(JobRequest request, std::string idempotency_key);
    // Resume or retry: scheduler/pins.h.
    Result<void> start_again(const std::string& id, Again how, bool with_current);
    Result<void> command(const std::string& id, const Scheduler::Command& change);
    Result<void> remove_job(const std::string& id);
    // Returns when something about jobs or members may have changed, or at the deadline.
    Task<void> wait_for_change(Instant deadline);

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

private:
    ProxyCore(Loop& control, const ProxyConfig& config, state::MetadataStore& metadata, wire::Catalog catalog, std::string proxy_id,
              std::string cluster_id, std::vector<std::string> targets, std::uint64_t map_version);
    Result<void> restore_jobs();
    void receive(const std::string& target, wire::Message message);
    void receive_hello(const std::string& target, const wire::Hello& hello);
    void receive_heartbeat(const std::string& target, const wire::Heartbeat& heartbeat);
    Task<void> run();
    void tick();
    // Carries effects out in order; what must be written down is, before anything is sent. On an error they are kept.
    Result<void> flush();
    Result<void> refuse_if_used(const std::string& bucket) const;
    Result<void> commit_catalog(const DesiredCatalog& changed);
    // Jobs that run end when what they are about is there no more.
    void check_jobs();
    Task<void> wait_until_accepted(const std::string& job);
    Result<void> commit_members();
    void broadcast(const wire::Message& message);
    void send(const std::string& target, const wire::Message& message);
    void pulse();
    bool sealed() const { return !catalog_.wire().buckets.empty(); }
    Task<void> wait_until_applied(Duration patience);
    Task<void> wait_until_stopped(const std::string& transform, Duration patience);
    Task<Result<void>> wait_until_running(const std::string& transform, Duration patience);

    Loop& control_;
    const ProxyConfig& config_;
    state::MetadataStore& metadata_;
    DesiredCatalog catalog_;
    const std::string proxy_id_;
    const std::string cluster_id_;
    std::uint16_t http_port_ = 0;
    const std::string boot_id_;
    Membership membership_;
    Scheduler scheduler_;
    http::Client client_;
    std::unique_ptr<wire::RouterBus> bus_;
    std::vector<Effect> pending_;
    TaskGroup tasks_;
    Event changed_;
    Event stop_;
    bool stopping_ = false;
    Instant next_beat_{};
};

}  // namespace millrace::scheduler
