#include "worker/target_core.h"

#include "core/log.h"

namespace millrace::worker {

TargetCore::TargetCore(TargetEnvironment environment)
    : environment_(std::move(environment)), cluster_(environment_.state.id()), fences_(environment_.slices),
      slices_(slice_environment(), [this](wire::Message message) {
          if (auto* status = std::get_if<wire::SliceStatus>(&message)) status->age = environment_.state.age();
          link_.send(message);
      }),
      catalog_(environment_.control, environment_.blocking, environment_.store, environment_.state,
               {.transforms = [this](const auto& wanted) { environment_.transforms.apply(wanted); }, .applied = [this] { link_.report_catalog(); }}),
      link_(environment_.control, environment_.config, environment_.state, environment_.boot_id, environment_.endpoint,
            environment_.connect_to_proxy, handlers()) {
    cluster_.recall(environment_.state.map());
}

TargetCore::~TargetCore() = default;

SliceEnvironment TargetCore::slice_environment() {
    return {environment_.control, environment_.lanes, environment_.blocking, environment_.store, environment_.buckets, environment_.slices, fences_,
            environment_.objects, environment_.transforms, cluster_, environment_.config, environment_.sync_target};
}

ProxyLink::Handlers TargetCore::handlers() {
    ProxyLink::Handlers handlers;
    handlers.directive = [this](wire::Directive directive) { return slices_.receive(std::move(directive)); };
    handlers.status_ack = [this](const wire::StatusAck& ack) { slices_.receive(ack); };
    handlers.catalog = [this](const wire::Catalog& wanted) {
        tell_revoked(wanted);
        catalog_.take(wanted);
    };
    handlers.problems = [this] { return catalog_.problems(); };
    handlers.map = [this](const wire::ClusterMap& map) { take_map(map); };
    handlers.proxy = [this](http::Endpoint proxy) { cluster_.set_proxy(std::move(proxy)); };
    handlers.accepted = [this] { return slices_.hold(); };
    handlers.joined = [this] {
        cluster_.set_joined();
        environment_.standing("");
        slices_.report_all();
        slices_.release();
    };
    handlers.lost = [this] { environment_.standing("the proxy is silent"); };
    handlers.refused = [this](std::string reason) {
        environment_.standing("the proxy refuses this target: " + reason);
        cluster_.set_refused(std::move(reason));
    };
    handlers.transforms = [this] { return environment_.transforms.report(); };
    handlers.running_slices = [this] { return slices_.running(); };
    return handlers;
}

// At once, whether the rest of a catalog can be applied or not.
void TargetCore::tell_revoked(const wire::Catalog& catalog) {
    if (environment_.revoked) environment_.revoked(catalog.revoked);
}

Result<void> TargetCore::start() {
    tell_revoked(environment_.state.wanted().version > 0 ? environment_.state.wanted() : environment_.state.catalog());
    environment_.transforms.apply(environment_.state.catalog().transforms);
    MILLRACE_TRY(slices_.restore());
    catalog_.start();
    return link_.start();
}

void TargetCore::transforms_changed() {
    slices_.kick_all();
    link_.report_transforms();
}

void TargetCore::take_map(const wire::ClusterMap& map) {
    cluster_.update(map);
    if (auto written = environment_.state.set_map(map); !written) log::error("members could not be written down", {{"error", written.error()}});
    slices_.kick_all();
}

Task<void> TargetCore::stop() {
    co_await catalog_.stop();
    co_await link_.stop();
    co_await slices_.stop();
}

}  // namespace millrace::worker
