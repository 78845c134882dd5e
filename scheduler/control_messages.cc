// What a proxy does about each message of a target.
#include <algorithm>
#include <type_traits>

#include "core/hash.h"
#include "core/ids.h"
#include "core/log.h"
#include "scheduler/control_plane.h"

namespace millrace::scheduler {

Task<void> ControlPlane::receive(std::string route, wire::Message message) {
    const Instant now = steady_now();
    const std::int64_t unix_now = unix_now_ns();
    const std::string target = wire::target_of(route);
    Member* member = state_.members.find(target);
    const bool joined = member != nullptr && !member->boot_id.empty() && member->route == route;
    if (const auto* hello = std::get_if<wire::Hello>(&message)) co_return co_await receive_hello(route, *hello);
    if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) co_return receive_heartbeat(route, *heartbeat);
    if (auto* catalog = std::get_if<wire::Catalog>(&message)) {
        const bool is_newer = catalog->version > state_.newest_catalog.version;
        if (!state_.leadership.outdated().empty() && is_newer) state_.newest_catalog = std::move(*catalog);
        co_return;
    }
    if (!joined) co_return;  // not a member, or not the process that is: it must say hello first
    if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
        state_.members.goodbye(target, *goodbye);
    } else if (const auto* status = std::get_if<wire::SliceStatus>(&message)) {
        state_.members.grew_older(target, status->age);
        state_.jobs.receive(target, *status, now, unix_now);
    } else if (const auto* ack = std::get_if<wire::DirectiveAck>(&message)) {
        state_.jobs.receive(target, *ack, now, unix_now);
    } else if (auto* transforms = std::get_if<wire::TransformStatus>(&message)) {
        co_await receive_transforms(target, std::move(*transforms));
    }
}

void ControlPlane::refuse(const std::string& route, std::string reason, bool wants_catalog) {
    wire::Welcome refusal{.proxy_id = state_.proxy_id, .boot_id = state_.boot_id, .cluster_id = state_.cluster_id};
    refusal.refused = std::move(reason);
    refusal.wants_catalog = wants_catalog;
    send_to(route, refusal);
}

Task<void> ControlPlane::receive_hello(std::string route, wire::Hello hello) {
    const std::string target = wire::target_of(route);
    if (!state_.leadership.hear(hello, state_.catalog.wire().version)) {
        if (accepts_loss_ && co_await accept_self()) co_return;  // it says hello again
        state_.members.part();
        const std::uint64_t newest = std::max(state_.catalog.wire().version, state_.newest_catalog.version);
        co_return refuse(route, state_.leadership.outdated(), hello.catalog_version > newest);
    }
    const Member* before = state_.members.find(target);
    const bool known = before != nullptr;
    // One that comes to know that it was accepted holds its orders back, those that it has just got, too: it is told again.
    const bool is_new_branch = known && !before->known.new_branch.empty();
    const bool is_new_process = !state_.members.is_online(target) || before->boot_id != hello.boot_id || is_new_branch;
    const Result<void> joined = hello.target_id == target ? state_.members.hello(hello, state_.sealed(), steady_now())
                                                          : Result<void>(fail(Code::conflict, "it announces two different ids"));
    if (!joined) {
        if (joined.error().code == Code::unavailable) co_return;  // it says hello again
        const bool is_loss = known && wire::compare(before->known.lineage, hello.lineage) == wire::Kinship::older_copy;
        if (hello.accepts_loss && is_loss && co_await accept_node(target)) co_return;
        co_return refuse(route, joined.error().context, false);
    }
    // What a target is told of itself is written down before, an acceptance too: a proxy that comes back without it would take what the target has
    // lost for what it never had.
    if (!known || is_new_branch) {
        const Result<void> written = co_await write_members();
        if (!written) {
            log::error("a new or accepted member could not be written down; it is not welcomed until it can", {{"target", target}, {"error", written.error()}});
            if (!known) state_.members.forget(target);
            co_return;
        }
    }
    state_.members.find(target)->route = route;
    co_await welcome(route, std::move(hello), is_new_process);
}

Task<void> ControlPlane::welcome(std::string route, wire::Hello hello, bool is_new_process) {
    // Targets remember who welcomed them: from here on this start counts.
    if (!state_.leadership.own().met) {
        state_.leadership.set_met(true);
        const wire::OwnLineage own = state_.leadership.own();
        const Result<void> written = co_await records_.write_lineage(own);
        if (!written) {
            state_.leadership.set_met(false);
            log::error("this start could not be written down; nobody is welcomed until it can", {{"error", written.error()}});
            co_return;
        }
    }
    wire::Welcome welcome{.proxy_id = state_.proxy_id, .boot_id = state_.boot_id, .cluster_id = state_.cluster_id, .map = map_for(hello.target_id),
                          .http_port = http_port_};
    welcome.lineage = state_.leadership.lineage();
    welcome.lineage.age = records_.durable_age();
    welcome.new_branch = state_.members.find(hello.target_id)->known.new_branch;
    send_to(route, welcome);
    const Instant now = steady_now();
    if (is_new_process) catalog_sent_.erase(hello.target_id);
    if (hello.catalog_version != state_.catalog.wire().version) send_catalog(hello.target_id, now);
    if (is_new_process) state_.jobs.target_joined(hello.target_id, now, unix_now_ns());
}

void ControlPlane::receive_heartbeat(const std::string& route, const wire::Heartbeat& heartbeat) {
    const Instant now = steady_now();
    const std::string target = wire::target_of(route);
    const bool was_online = state_.members.is_online(target);
    if (!state_.members.heartbeat(target, heartbeat, now)) {
        send_to(route, wire::Heartbeat{.boot_id = random_id("b-")});  // unknown here: this makes it say hello
        return;
    }
    if (heartbeat.unix_ms != 0) {
        using Milliseconds = std::chrono::milliseconds;
        state_.members.compare_clocks(target, Milliseconds(heartbeat.unix_ms), Milliseconds(unix_now_ns() / 1'000'000));
    }
    if (!was_online) state_.jobs.target_joined(target, now, unix_now_ns());
    if (heartbeat.catalog_version < state_.catalog.wire().version) send_catalog(target, now);
    if (heartbeat.map_version < state_.members.version()) send(target, map_for(target));
}

// The image that the first target runs is the one of the cluster: from then on the others run it, or say why not.
Task<void> ControlPlane::receive_transforms(std::string target, wire::TransformStatus status) {
    Member* member = state_.members.find(target);
    member->transforms = std::move(status.transforms);
    member->catalog_problems = std::move(status.problems);
    member->transforms_of_catalog = status.catalog_version;
    DesiredCatalog changed = state_.catalog;
    for (const wire::TransformReport& report : member->transforms) {
        const wire::TransformEntry* entry = state_.catalog.transform(report.name);
        const bool runs_it = entry != nullptr && report.state == "running" && report.spec_json_digest == checksum_text(xxh64(entry->spec_json));
        if (runs_it) (void)changed.set_image(report.name, report.image);
    }
    if (changed.wire().version == state_.catalog.wire().version) co_return;
    const Result<void> committed = co_await change_catalog(std::move(changed));
    if (!committed) log::error("the image of a transform cannot be written down", {{"target", target}, {"error", committed.error()}});
}

}  // namespace millrace::scheduler
