// Other targets asked to make durable what they have taken. A call covers whatever came before it began, so slices that ask while one
// is under way share the next: two calls at most for a target at any time, one of them waiting, however many slices there are.
//
// Control loop only.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/task.h"
#include "http/client.h"
#include "worker/cluster_view.h"

namespace millrace::worker {

class RemoteSyncs {
public:
    RemoteSyncs(Executor control, http::Client& client, const ClusterView& cluster)
        : control_(std::move(control)), client_(client), cluster_(cluster) {}

    // The boot id of the process that has synced. The deadline of each call is 30 s.
    Task<Result<std::string>> sync(TargetId target);

private:
    struct Round {
        explicit Round(const Executor& executor) : done(executor) {}
        bool begun = false;
        Event done;
        Result<std::string> result;
    };
    struct Calls {
        std::shared_ptr<Round> running;
        std::shared_ptr<Round> next;
    };

    Task<Result<std::string>> call(TargetId target);

    const Executor control_;
    http::Client& client_;
    const ClusterView& cluster_;
    std::map<TargetId, Calls> calls_;  // of targets of the map
};

}  // namespace millrace::worker
