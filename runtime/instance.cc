#include "runtime/instance.h"

#include <csignal>

#include "runtime/filter_instance.h"
#include "runtime/orphans.h"
#include "runtime/server_instance.h"

namespace millrace::runtime {

std::string_view state_name(InstanceState state) {
    switch (state) {
        case InstanceState::initializing: return "initializing";
        case InstanceState::running: return "running";
        case InstanceState::restarting: return "restarting";
        case InstanceState::aborted: return "aborted";
        case InstanceState::stopped: return "stopped";
    }
    return "unknown";
}

std::unique_ptr<Instance> make_instance(TransformSpec spec, InstanceEnvironment environment) {
    // A filter that stops reading is an error to handle, not a signal that ends this process.
    static const bool signal_is_ignored = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
    (void)signal_is_ignored;
    adopt_orphans();
    if (spec.kind == Kind::filter) return std::make_unique<FilterInstance>(std::move(spec), std::move(environment));
    return std::make_unique<ServerInstance>(std::move(spec), std::move(environment));
}

}  // namespace millrace::runtime
