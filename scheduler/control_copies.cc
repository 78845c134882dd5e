// What a proxy does about nodes, itself included, that run from older copies of their folders.
#include "core/ids.h"
#include "core/log.h"
#include "scheduler/control_plane.h"

namespace millrace::scheduler {

Task<Result<std::string>> ControlPlane::accept(std::string node) {
    auto turn = [this, node = std::move(node)] { return accept_node(node); };
    co_return co_await in_turn(std::move(turn));
}

Task<Result<std::string>> ControlPlane::accept_node(std::string node) {
    if (node == state_.proxy_id || node == "proxy") {
        MILLRACE_CO_TRY(co_await accept_self());
        co_return "proxy " + state_.proxy_id + " leads the cluster with what it has; what was commanded since its copy was made is forgotten";
    }
    MILLRACE_CO_TRY(state_.check_leads());
    MILLRACE_CO_TRY(state_.members.accept(node, random_id("br-")));
    const std::string why = "target " + node + " was accepted with another folder than the one that was known (" + rfc3339(unix_now_ns()) + ")";
    log::warn("target accepted", {{"target", node}});
    state_.jobs.target_accepted(node, why, steady_now());
    const Result<void> written = co_await write_members();
    if (!written) {
        co_return written.error().during("target " + node + " is accepted, but that could not be written down: should the proxy end before its disk "
            "takes writes again, the target has to be accepted once more");
    }
    co_return "target " + node + " joins with the folder it has; its slices of unfinished jobs go on from its own checkpoints";
}

// Everything that targets may have seen is overtaken; the lineage last, so that a crash in between leaves this proxy outdated.
Task<Result<void>> ControlPlane::accept_self() {
    MILLRACE_CO_TRY_ASSIGN(wire::OwnLineage own, state_.leadership.accepted(random_id("br-")));
    state_.jobs.overtake(state_.leadership.lives_since_copy(), steady_now());
    MILLRACE_CO_TRY(co_await flush());
    DesiredCatalog changed = state_.catalog;
    changed.overtake(state_.newest_catalog, state_.leadership.catalog_seen(), state_.leadership.lives_since_copy());
    MILLRACE_CO_TRY(co_await change_catalog(std::move(changed)));
    MILLRACE_CO_TRY(co_await records_.write_lineage(own));
    state_.leadership.accept(std::move(own));
    state_.newest_catalog = {};
    co_return Result<void>{};
}

}  // namespace millrace::scheduler
