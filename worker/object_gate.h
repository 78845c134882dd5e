// Whether this target may answer a request about an object, in whatever dialect it came. Asked by every operation before it does
// anything. Any thread.
#pragma once
#include <optional>
#include <string>

#include "core/ids.h"
#include "worker/cluster_view.h"

namespace millrace::worker {

class ObjectGate {
public:
    explicit ObjectGate(const ClusterView& cluster) : cluster_(cluster) {}

    // The target that has to be asked, when it is another one. Code::invalid_argument for what is no name of an object,
    // Code::unavailable until the targets are known.
    Result<std::optional<TargetId>> elsewhere(const std::string& name) const;
    // Code::unavailable when the name belongs elsewhere: it did not when the request was received, so it may be tried again.
    Result<void> owns(const std::string& name) const;
    // The same. Code::conflict while the proxy refuses this target, which then takes no changes: that does not pass by itself.
    Result<void> may_change(const std::string& name) const;

private:
    const ClusterView& cluster_;
};

}  // namespace millrace::worker
